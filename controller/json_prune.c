/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/json_prune.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define LEVELS 64

/* An object or array that is open and of which parts are kept. */
struct level {
	const struct json_keep *keep;
	char close;
	bool empty;	 /* nothing of it has been kept yet */
	bool after_item; /* a comma or the end comes next */
	bool after_comma;
};

struct prune {
	const char *at, *end;
	char *out;
	struct level level[LEVELS];
	size_t depth, depth_max;
	bool too_deep;
};

/* --- passing over --- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void pass_space(struct prune *prune)
{
	while (prune->at < prune->end && is_space(*prune->at))
		prune->at++;
}

/* Each returns false when the text ends before, or is not what it must be. */
static bool pass_string(struct prune *prune)
{
	const char *at = prune->at + 1, *end = prune->end;

	while (at < end && *at != '"')
		at += *at == '\\' ? 2 : 1;
	prune->at = at < end ? at + 1 : end;
	return at < end;
}

static bool pass_word(struct prune *prune)
{
	const char *begin = prune->at;

	while (prune->at < prune->end && !strchr(",]}[{\":", *prune->at) && !is_space(*prune->at))
		prune->at++;
	return prune->at > begin;
}

/* An object or array.  Nothing of it is used: its brackets are counted, not compared. */
static bool pass_nested(struct prune *prune)
{
	const char *at = prune->at;
	size_t depth = prune->depth, outside = depth;

	for (; at < prune->end; at++) {
		char c = *at;

		if (c == '"') {
			prune->at = at;
			if (!pass_string(prune))
				return false;
			at = prune->at - 1;
		} else if (c == '{' || c == '[') {
			prune->too_deep |= ++depth > prune->depth_max;
		} else if ((c == '}' || c == ']') && --depth == outside) {
			prune->at = at + 1;
			return !prune->too_deep;
		}
	}
	prune->at = at;
	return false;
}

static bool pass_value(struct prune *prune)
{
	if (prune->at == prune->end)
		return false;
	switch (*prune->at) {
	case '"':
		return pass_string(prune);
	case '{':
	case '[':
		return pass_nested(prune);
	default:
		return pass_word(prune);
	}
}

/* --- keeping --- */

static void put(struct prune *prune, const char *from, size_t len)
{
	memcpy(prune->out, from, len);
	prune->out += len;
}

static void put_char(struct prune *prune, char c)
{
	*prune->out++ = c;
}

static bool keep_whole(struct prune *prune)
{
	const char *begin = prune->at;

	if (!pass_value(prune))
		return false;
	put(prune, begin, (size_t)(prune->at - begin));
	return true;
}

static bool open_level(struct prune *prune, const struct json_keep *keep)
{
	char open = *prune->at++;

	if (prune->depth == prune->depth_max) {
		prune->too_deep = true;
		return false;
	}
	put_char(prune, open);
	prune->level[prune->depth++] = (struct level){
		.keep = keep,
		.close = open == '{' ? '}' : ']',
		.empty = true,
	};
	return true;
}

/* The value at which we are: whole, or a level that is to be gone through. */
static bool keep_value(struct prune *prune, const struct json_keep *keep)
{
	if (keep && prune->at < prune->end && (*prune->at == '{' || *prune->at == '['))
		return open_level(prune, keep);
	return keep_whole(prune);
}

/* The entry of a name (without its quotes), or NULL. */
static const struct json_keep *find(const struct json_keep *keep, const char *name, size_t len)
{
	for (; keep->name; keep++) {
		size_t its_len = strlen(keep->name);

		if ((len == its_len || (keep->prefix && len > its_len)) &&
		    memcmp(name, keep->name, its_len) == 0)
			return keep;
	}
	return NULL;
}

static void separate(struct prune *prune, struct level *level)
{
	if (!level->empty)
		put_char(prune, ',');
	level->empty = false;
}

static bool do_member(struct prune *prune, struct level *level)
{
	static const struct json_keep whole = { .name = "" };
	const char *name = prune->at;
	const struct json_keep *keep;
	size_t len;

	if (*name != '"' || !pass_string(prune))
		return false;
	len = (size_t)(prune->at - name);
	keep = memchr(name, '\\', len) ? &whole : find(level->keep, name + 1, len - 2);
	pass_space(prune);
	if (prune->at == prune->end || *prune->at++ != ':')
		return false;
	pass_space(prune);
	if (!keep)
		return pass_value(prune);
	separate(prune, level);
	put(prune, name, len);
	put_char(prune, ':');
	return keep_value(prune, keep->member);
}

static bool close_level(struct prune *prune, const struct level *level)
{
	if (level->after_comma)
		return false;
	put_char(prune, level->close);
	prune->at++;
	prune->depth--;
	return true;
}

/* One member, element, comma or end of the innermost open level. */
static bool step(struct prune *prune)
{
	struct level *level = &prune->level[prune->depth - 1];

	pass_space(prune);
	if (prune->at == prune->end)
		return false;
	if (*prune->at == level->close)
		return close_level(prune, level);
	if (level->after_item) {
		level->after_item = false;
		level->after_comma = true;
		return *prune->at++ == ',';
	}
	level->after_item = true;
	level->after_comma = false;
	if (level->close == '}')
		return do_member(prune, level);
	separate(prune, level);
	return keep_value(prune, level->keep);
}

static bool run(struct prune *prune, const struct json_keep *keep)
{
	pass_space(prune);
	if (!keep_value(prune, keep))
		return false;
	while (prune->depth)
		if (!step(prune))
			return false;
	pass_space(prune);
	return prune->at == prune->end;
}

int json_prune(const char *text, size_t len, const struct json_keep *keep, size_t depth_max,
	       char *ret_text, struct err *err)
{
	struct prune prune = {
		.at = text, .end = text + len, .out = ret_text, .depth_max = depth_max
	};

	assert(depth_max <= LEVELS && len <= INT_MAX);
	if (!run(&prune, keep))
		return prune.too_deep ? err_set(err, -EINVAL,
						"JSON is nested deeper than %zu levels", depth_max)
				      : err_set(err, -EINVAL, "not valid JSON at byte %zu",
						(size_t)(prune.at - text));
	return (int)(prune.out - ret_text);
}
