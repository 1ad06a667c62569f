/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/options_value.h"

#include "lib/core/duration.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_BYTES 64

void options_clear_value(const struct option_def *def)
{
	struct option_list *list;

	switch (def->type) {
	case OPTION_TEXT:
		free(TAKE_PTR(*(char **)def->value));
		break;
	case OPTION_LIST:
		list = def->value;
		for (size_t i = 0; i < list->nr; i++)
			free(list->item[i]);
		free(list->item);
		*list = (struct option_list){ 0 };
		break;
	default:
		break;
	}
}

static int set_u32(const struct option_def *def, const char *text, struct err *err)
{
	int64_t max = def->max ? def->max : UINT32_MAX;
	size_t digits = strspn(text, "0123456789");
	long long value;

	if (!digits || text[digits])
		return err_set(err, -EINVAL, "\"%.64s\" is not a whole number", text);
	errno = 0;
	value = strtoll(text, NULL, 10);
	if (errno || value < def->min || value > max)
		return err_set(err, -EINVAL, "%.64s is not in %lld..%lld", text,
			       (long long)def->min, (long long)max);
	*(uint32_t *)def->value = (uint32_t)value;
	return 0;
}

static int set_duration(const struct option_def *def, const char *text, struct err *err)
{
	int64_t max = def->max ? def->max : INT64_MAX;
	char least[DURATION_TEXT_MAX], most[DURATION_TEXT_MAX];
	int64_t ns;
	int r = duration_parse(text, &ns, err);

	if (r < 0)
		return r;
	duration_format(def->min, least);
	duration_format(max, most);
	if (ns < def->min || ns > max)
		return def->max ? err_set(err, -EINVAL, "%.64s is not in %s..%s", text, least, most)
				: err_set(err, -EINVAL, "%.64s is less than %s", text, least);
	*(int64_t *)def->value = ns;
	return 0;
}

static int set_bool(const struct option_def *def, const char *text, struct err *err)
{
	bool is_true = strcmp(text, "true") == 0;

	if (!is_true && strcmp(text, "false") != 0)
		return err_set(err, -EINVAL, "\"%.64s\" is neither true nor false", text);
	*(bool *)def->value = is_true;
	return 0;
}

static int set_word(const struct option_def *def, const char *text, struct err *err)
{
	char all[256] = "";

	for (int i = 0; def->words[i]; i++) {
		if (strcmp(def->words[i], text) == 0) {
			*(int *)def->value = i;
			return 0;
		}
		strncat(all, i ? ", " : "", sizeof(all) - strlen(all) - 1);
		strncat(all, def->words[i], sizeof(all) - strlen(all) - 1);
	}
	return err_set(err, -EINVAL, "\"%.64s\" is not one of %s", text, all);
}

static int check_text(const struct option_def *def, const char *text, struct err *err)
{
	return def->check ? def->check(text, err) : 0;
}

static int add_to_list(const struct option_def *def, const char *text, struct err *err)
{
	struct option_list *list = def->value;
	int r;

	do {
		size_t len = strcspn(text, ",");

		if (!len)
			return err_set(err, -EINVAL, "an element is empty");
		GROW(list->item, list->nr);
		list->item[list->nr++] = xstrndup(text, len);
		r = check_text(def, list->item[list->nr - 1], err);
		if (r < 0)
			return r;
		text += len;
	} while (*text++ == ',');
	return 0;
}

int options_set_value(const struct option_def *def, const char *text, struct err *err)
{
	switch (def->type) {
	case OPTION_TEXT:
		free(*(char **)def->value);
		*(char **)def->value = xstrdup(text);
		return check_text(def, text, err);
	case OPTION_U32:
		return set_u32(def, text, err);
	case OPTION_DURATION:
		return set_duration(def, text, err);
	case OPTION_BOOL:
		return set_bool(def, text, err);
	case OPTION_WORD:
		return set_word(def, text, err);
	case OPTION_LIST:
		return add_to_list(def, text, err);
	}
	return -EINVAL;
}

const struct option_def *options_find(const struct options *options, const char *name, size_t len)
{
	for (size_t i = 0; i < options->def_nr; i++)
		if (strlen(options->def[i].name) == len &&
		    memcmp(options->def[i].name, name, len) == 0)
			return &options->def[i];
	return NULL;
}

/* Levenshtein distance; one row of the table at a time. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[NAME_MAX_BYTES + 1];

	if (a_len > NAME_MAX_BYTES || b_len > NAME_MAX_BYTES)
		return NAME_MAX_BYTES;
	for (size_t i = 0; i <= b_len; i++)
		row[i] = i;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t k = 1; k <= b_len; k++) {
			size_t above = row[k];
			size_t change = diagonal + (a[i - 1] != b[k - 1]);

			row[k] = MIN(change, 1 + MIN(above, row[k - 1]));
			diagonal = above;
		}
	}
	return row[b_len];
}

const char *options_suggest(const struct options *options, const char *prefix, const char *name,
			    size_t len, char buf[128])
{
	static const char *const builtin[] = { OPTIONS_BUILTIN };
	const char *best = NULL;
	size_t least = len / 3 + 2;

	for (size_t i = 0; i < options->def_nr + ARRAY_SIZE(builtin); i++) {
		const char *known =
			i < options->def_nr ? options->def[i].name : builtin[i - options->def_nr];
		size_t far = distance(name, len, known, strlen(known));

		if (far < least) {
			least = far;
			best = known;
		}
	}
	buf[0] = '\0';
	if (best)
		snprintf(buf, 128, "; did you mean %s%s?", prefix, best);
	return buf;
}
