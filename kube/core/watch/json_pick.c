/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/watch/json_pick.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lib/core/text/json.h"
#include "lib/core/text/json_skip.h"
#include "lib/core/text/utf8.h"

#define LEVELS 64
#define PATH_BYTES 256

/* A member's name: as it is written (its quotes left out), or decoded. */
struct name {
	const char *text;
	size_t len;
	json_t *decoded;
};

/* An object or array that is open and of which parts are kept. */
struct level {
	const struct json_keep *keep; /* NULL = everything */
	json_t *into;		      /* the one above it owns it */
	struct name name;	      /* of it */
	char close;
	bool after_item; /* a comma or the end comes next */
	bool after_comma;
};

struct pick {
	const char *at, *end;
	json_t *root;
	struct level level[LEVELS];
	size_t depth, depth_max;
	bool too_deep;
	const char *why; /* a value is refused: what it has, or is */
	struct name of;
};

/* Of the whole text, and of an element. */
static const struct name no_name;

/* --- passing over --- */

static void pass_space(struct pick *pick)
{
	while (pick->at < pick->end && json_is_space(*pick->at))
		pick->at++;
}

static bool pass_word(struct pick *pick)
{
	const char *begin = pick->at;

	while (pick->at < pick->end && !strchr(",]}[{\":", *pick->at) && !json_is_space(*pick->at))
		pick->at++;
	return pick->at > begin;
}

static bool is_nested(const struct pick *pick)
{
	return pick->at < pick->end && (*pick->at == '{' || *pick->at == '[');
}

/* Each returns false when the text ends before, or is not what it must be. */
static bool pass_value(struct pick *pick)
{
	const char *behind;

	if (pick->at == pick->end)
		return false;
	if (is_nested(pick))
		behind = json_skip_nested(pick->at, pick->end, pick->depth_max - pick->depth,
					  &pick->too_deep);
	else if (*pick->at == '"')
		behind = json_skip_string(pick->at, pick->end);
	else
		return pass_word(pick);
	pick->at = behind ? behind : pick->end;
	return behind;
}

/* --- keeping --- */

/* Nothing in it stands for something else; whether it is UTF-8 is for jansson to say. */
static bool is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == '\\')
			return false;
	return true;
}

/* As it can be kept: what is decoded will be gone. */
static struct name shown(const struct name *name)
{
	return name->decoded ? (struct name){ .text = "?", .len = 1 } : *name;
}

static void refuse(struct pick *pick, const struct name *name, const char *why)
{
	pick->of = shown(name);
	pick->why = why;
}

/* A string (with its quotes), a number or a word; NULL when it is none. */
static json_t *scalar(struct pick *pick, const struct name *name, const char *text, size_t len)
{
	json_error_t err = { 0 };
	json_t *json;

	if (*text == '"' && is_plain(text + 1, len - 2))
		json = json_stringn(text + 1, len - 2);
	else
		json = json_loadb(text, len, JSON_DECODE_ANY, &err);
	if (!json && *text == '"')
		refuse(pick, name,
		       json_error_code(&err) == json_error_null_character
			       ? "has the character \\u0000 in it"
			       : "is not a string of UTF-8");
	return json;
}

/* False when there is one of the name, too. */
static bool add_member(struct pick *pick, json_t *object, const struct name *name, json_t *value)
{
	size_t nr = json_object_size(object);

	if (json_object_setn_new(object, name->text, name->len, value) < 0)
		refuse(pick, name, "is not UTF-8");
	else if (json_object_size(object) == nr)
		refuse(pick, name, "stands there twice");
	return !pick->why;
}

/* Takes `value`, which may be NULL, and adds it to where we are. */
static bool add(struct pick *pick, const struct name *name, json_t *value)
{
	const struct level *level = pick->depth ? &pick->level[pick->depth - 1] : NULL;

	if (!value)
		return false;
	if (!level)
		pick->root = value;
	else if (level->close == ']')
		return json_array_append_new(level->into, value) == 0;
	else
		return add_member(pick, level->into, name, value);
	return true;
}

static bool keep_scalar(struct pick *pick, const struct name *name)
{
	const char *begin = pick->at;

	return pass_value(pick) &&
	       add(pick, name, scalar(pick, name, begin, (size_t)(pick->at - begin)));
}

/* The value at which we are: a scalar, or a level that is to be gone through. */
static bool keep_value(struct pick *pick, const struct name *name, const struct json_keep *keep)
{
	json_t *into;

	if (!is_nested(pick))
		return keep_scalar(pick, name);
	pick->too_deep = pick->depth == pick->depth_max;
	if (pick->too_deep)
		return false;
	into = json_must(*pick->at == '{' ? json_object() : json_array());
	if (!add(pick, name, into))
		return false;
	pick->level[pick->depth++] = (struct level){
		.keep = keep,
		.into = into,
		.name = shown(name),
		.close = *pick->at++ == '{' ? '}' : ']',
	};
	return true;
}

static bool is_name(const struct json_keep *keep, const struct name *name)
{
	size_t len = strlen(keep->name);

	return (name->len == len || (keep->prefix && name->len > len)) &&
	       memcmp(name->text, keep->name, len) == 0;
}

/* The entry of a name, or NULL. */
static const struct json_keep *find(const struct json_keep *keep, const struct name *name)
{
	static const struct json_keep whole = { .name = "" };

	if (!keep)
		return &whole;
	for (; keep->name; keep++)
		if (name->len && *name->text == *keep->name && is_name(keep, name))
			return keep;
	return NULL;
}

static bool read_name(struct pick *pick, struct name *ret_name)
{
	const char *begin = pick->at;
	size_t len;

	if (*begin != '"' || !pass_value(pick))
		return false;
	len = (size_t)(pick->at - begin);
	*ret_name = (struct name){ .text = begin + 1, .len = len - 2 };
	if (is_plain(begin + 1, len - 2))
		return true;
	ret_name->decoded = scalar(pick, &no_name, begin, len);
	ret_name->text = json_string_value(ret_name->decoded);
	ret_name->len = json_string_length(ret_name->decoded);
	return ret_name->decoded;
}

static bool do_value_of(struct pick *pick, const struct level *level, const struct name *name)
{
	const struct json_keep *keep = find(level->keep, name);

	pass_space(pick);
	if (pick->at == pick->end || *pick->at++ != ':')
		return false;
	pass_space(pick);
	return keep ? keep_value(pick, name, keep->member) : pass_value(pick);
}

static bool do_member(struct pick *pick, const struct level *level)
{
	struct name name = { 0 };
	bool good = read_name(pick, &name) && do_value_of(pick, level, &name);

	json_decref(name.decoded);
	return good;
}

static bool close_level(struct pick *pick, const struct level *level)
{
	if (level->after_comma)
		return false;
	pick->at++;
	pick->depth--;
	return true;
}

/* One member, element, comma or end of the innermost open level. */
static bool step(struct pick *pick)
{
	struct level *level = &pick->level[pick->depth - 1];

	pass_space(pick);
	if (pick->at == pick->end)
		return false;
	if (*pick->at == level->close)
		return close_level(pick, level);
	if (level->after_item) {
		level->after_item = false;
		level->after_comma = true;
		return *pick->at++ == ',';
	}
	level->after_item = true;
	level->after_comma = false;
	return level->close == '}' ? do_member(pick, level)
				   : keep_value(pick, &no_name, level->keep);
}

static bool run(struct pick *pick, const struct json_keep *keep)
{
	pass_space(pick);
	if (!keep_value(pick, &no_name, keep))
		return false;
	while (pick->depth)
		if (!step(pick))
			return false;
	pass_space(pick);
	return pick->at == pick->end;
}

static size_t put_name(char *out, size_t at, const struct name *name)
{
	if (!name->text) {
		memcpy(out + at, "[]", 3);
		return at + 2;
	}
	if (at)
		out[at++] = '.';
	return at + utf8_clean(name->text, name->len, out + at, PATH_BYTES - at);
}

/* The way to the value that is refused: "spec.selector.matchLabels.app". */
static void path_of(const struct pick *pick, char out[PATH_BYTES])
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 1; i < pick->depth && at < PATH_BYTES / 2; i++)
		at = put_name(out, at, &pick->level[i].name);
	if (at < PATH_BYTES / 2)
		put_name(out, at, &pick->of);
}

int json_pick(const char *text, size_t len, const struct json_keep *keep, size_t depth_max,
	      json_t **ret, struct err *err)
{
	struct pick pick = { .at = text, .end = text + len, .depth_max = depth_max };
	char path[PATH_BYTES];

	assert(depth_max <= LEVELS);
	if (run(&pick, keep)) {
		*ret = pick.root;
		return 0;
	}
	json_decref(pick.root);
	if (pick.too_deep)
		return err_set(err, -EINVAL, "JSON is nested deeper than %zu levels", depth_max);
	if (!pick.why)
		return err_set(err, -EINVAL, "not valid JSON at byte %zu",
			       (size_t)(pick.at - text));
	path_of(&pick, path);
	return err_set(err, -EINVAL, "%s: %s", path, pick.why);
}
