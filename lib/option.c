/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/option.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/text/duration.h"

void option_clear(const struct option_def *def)
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

static int add_item(const struct option_def *def, const char *text, size_t len, struct err *err)
{
	struct option_list *list = def->value;

	if (!len)
		return err_set(err, -EINVAL, "an element is empty");
	GROW(list->item, list->nr);
	list->item[list->nr++] = xstrndup(text, len);
	return check_text(def, list->item[list->nr - 1], err);
}

static int add_to_list(const struct option_def *def, const char *text, struct err *err)
{
	do {
		size_t len = strcspn(text, ",");
		int r = add_item(def, text, len, err);

		if (r < 0)
			return r;
		text += len;
	} while (*text++ == ',');
	return 0;
}

int option_set_item(const struct option_def *def, const char *text, struct err *err)
{
	return add_item(def, text, strlen(text), err);
}

int option_set(const struct option_def *def, const char *text, struct err *err)
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
