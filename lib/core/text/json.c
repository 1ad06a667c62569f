/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/text/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/text/json_skip.h"

/* Of the first value; jansson refuses what comes behind it, before it looks into it. */
static bool depth_within(const char *buf, size_t len, size_t depth_max)
{
	const char *end = buf + len;
	bool too_deep = false;

	while (buf < end && json_is_space(*buf))
		buf++;
	if (buf < end && (*buf == '{' || *buf == '['))
		(void)json_skip_nested(buf, end, depth_max, &too_deep);
	return !too_deep;
}

int json_parse_bounded(const char *buf, size_t len, size_t depth_max, json_t **ret, struct err *err)
{
	json_error_t jerr;
	json_t *json;

	if (!depth_within(buf, len, depth_max))
		return err_set(err, -EINVAL, "JSON is nested deeper than %zu levels", depth_max);
	json = json_loadb(buf, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &jerr);
	if (!json)
		return err_set(err, -EINVAL, "not valid JSON at byte %d: %s", jerr.position,
			       jerr.text);
	*ret = json;
	return 0;
}

bool json_text_is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			return false;
		if (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0)
			return false;
	}
	return true;
}

static int check_text(const char *key, const json_t *value, size_t max, struct err *err)
{
	if (!json_is_string(value))
		return err_set(err, -EINVAL, "%s: must be a string", key);
	if (json_string_length(value) > max)
		return err_set(err, -EINVAL, "%s: longer than %zu bytes", key, max);
	if (!json_text_is_plain(json_string_value(value), json_string_length(value)))
		return err_set(err, -EINVAL, "%s: has control characters", key);
	return 0;
}

int json_get_text(const json_t *obj, const char *key, size_t max, const char **ret_text,
		  struct err *err)
{
	const json_t *value = json_object_get(obj, key);
	int r;

	if (!value)
		return err_set(err, -EINVAL, "%s: is missing", key);
	r = check_text(key, value, max, err);
	if (r < 0)
		return r;
	*ret_text = json_string_value(value);
	return 0;
}

int json_get_name(const json_t *obj, const char *key, size_t max, const char **ret_name,
		  struct err *err)
{
	const char *name = "";
	int r = json_get_text(obj, key, max, &name, err);

	if (r < 0)
		return r;
	if (!*name)
		return err_set(err, -EINVAL, "%s: must not be empty", key);
	*ret_name = name;
	return 0;
}

int json_get_opt_name(const json_t *obj, const char *key, size_t max, const char **ret_name,
		      struct err *err)
{
	const json_t *value = json_object_get(obj, key);

	if (!value || json_is_null(value)) {
		*ret_name = NULL;
		return 0;
	}
	return json_get_name(obj, key, max, ret_name, err);
}

int json_get_int(const json_t *obj, const char *key, int64_t min, int64_t max, int64_t *ret_value,
		 struct err *err)
{
	const json_t *value = json_object_get(obj, key);
	int64_t n;

	if (!value)
		return err_set(err, -EINVAL, "%s: is missing", key);
	if (!json_is_integer(value))
		return err_set(err, -EINVAL, "%s: must be an integer", key);
	n = json_integer_value(value);
	if (n < min || n > max)
		return err_set(err, -EINVAL, "%s: %lld is not in %lld..%lld", key, (long long)n,
			       (long long)min, (long long)max);
	*ret_value = n;
	return 0;
}

int json_get_array(const json_t *obj, const char *key, size_t max, const json_t **ret_array,
		   struct err *err)
{
	const json_t *value = json_object_get(obj, key);

	if (!value || json_is_null(value)) {
		*ret_array = NULL;
		return 0;
	}
	if (!json_is_array(value))
		return err_set(err, -EINVAL, "%s: must be a list", key);
	if (json_array_size(value) > max)
		return err_set(err, -EINVAL, "%s: has %zu elements, at most %zu are accepted", key,
			       json_array_size(value), max);
	*ret_array = value;
	return 0;
}

json_t *json_must(json_t *json)
{
	if (!json) {
		fputs("out of memory, or text that is not UTF-8\n", stderr);
		abort();
	}
	return json;
}
