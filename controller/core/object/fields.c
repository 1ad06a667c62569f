/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/object/fields.h"

#include <errno.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/plan/caps.h"
#include "lib/core/text/duration.h"
#include "lib/core/text/edit_distance.h"

static bool printable(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= 64 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") ==
		       len;
}

static const char *nearest(const char *word, const char *const *name, size_t name_nr)
{
	const char *best = NULL;
	size_t best_distance = 4; /* further away is a guess, not a typing error */

	for (size_t i = 0; i < name_nr; i++) {
		size_t d = edit_distance(word, strlen(word), name[i], strlen(name[i]));

		if (d < best_distance && d < strlen(name[i])) {
			best = name[i];
			best_distance = d;
		}
	}
	return best;
}

static bool is_one_of(const char *word, const char *const *name, size_t name_nr)
{
	for (size_t i = 0; i < name_nr; i++)
		if (strcmp(word, name[i]) == 0)
			return true;
	return false;
}

static int refuse_field(const char *path, const char *key, const char *const *name, size_t name_nr,
			struct err *err)
{
	const char *dot = *path ? "." : "", *like;

	if (!printable(key))
		return err_set(err, -EINVAL, "%s: has a field of an impossible name",
			       *path ? path : "object");
	like = nearest(key, name, name_nr);
	return err_set(err, -EINVAL, "%s%s%s: is not a field%s%s%s", path, dot, key,
		       like ? "; did you mean " : "", like ? like : "", like ? "?" : "");
}

int fields_check(const json_t *object, const char *path, const char *const *name, size_t name_nr,
		 struct err *err)
{
	const char *key;
	json_t *value;

	if (object && !json_is_object(object))
		return err_set(err, -EINVAL, "%s: must be a map", path);
	json_object_foreach((json_t *)object, key, value)
	{
		if (!is_one_of(key, name, name_nr))
			return refuse_field(path, key, name, name_nr, err);
	}
	return 0;
}

static const char *type_name(json_type type)
{
	switch (type) {
	case JSON_OBJECT:
		return "a map";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	default:
		return "of another type";
	}
}

int fields_get(const json_t *object, const char *path, const char *name, json_type type,
	       const json_t **ret_json, struct err *err)
{
	const json_t *json = json_object_get(object, name);

	if (json && json_typeof(json) != type)
		return err_set(err, -EINVAL, "%s.%s: must be %s", path, name, type_name(type));
	*ret_json = json;
	return 0;
}

int fields_rate(const json_t *object, const char *path, const char *name, bool *ret_has,
		uint32_t *ret_hz, struct err *err)
{
	const json_t *json = NULL;
	json_int_t hz;
	int r = fields_get(object, path, name, JSON_INTEGER, &json, err);

	if (r < 0)
		return r;
	hz = json_integer_value(json);
	if (hz < 0 || hz > LIMIT_SAMPLE_RATE_HZ)
		return err_set(err, -EINVAL, "%s.%s: %lld is not in 0..%d", path, name,
			       (long long)hz, LIMIT_SAMPLE_RATE_HZ);
	*ret_has = json != NULL;
	*ret_hz = (uint32_t)hz;
	return 0;
}

#define DURATION_BYTES_MIN 2
#define DURATION_BYTES_MAX 16
#define DURATION_DIGITS 9 /* in a row */

/* Past 1 to DURATION_DIGITS digits; NULL when there are none, or more. */
static const char *skip_digits(const char *text)
{
	size_t nr = strspn(text, "0123456789");

	return nr >= 1 && nr <= DURATION_DIGITS ? text + nr : NULL;
}

static const char *skip_unit(const char *text)
{
	static const char *const unit[] = { "h", "ms", "m", "s", "us", "ns" };

	for (size_t i = 0; i < ARRAY_SIZE(unit); i++)
		if (strncmp(text, unit[i], strlen(unit[i])) == 0)
			return text + strlen(unit[i]);
	return NULL;
}

/* The pattern of the CRDs, which is narrower than Go's syntax: no signs, no bare points, no micro signs. */
static bool is_plain_duration(const char *text)
{
	size_t len = strnlen(text, DURATION_BYTES_MAX + 1);

	if (len < DURATION_BYTES_MIN || len > DURATION_BYTES_MAX)
		return false;
	while (text && *text) {
		text = skip_digits(text);
		if (text && *text == '.')
			text = skip_digits(text + 1);
		if (text)
			text = skip_unit(text);
	}
	return text != NULL;
}

int fields_duration(const json_t *object, const char *path, const char *name, int64_t *ret_ns,
		    struct err *err)
{
	const json_t *json = NULL;
	int64_t ns = 0;
	int r = fields_get(object, path, name, JSON_STRING, &json, err);

	if (r < 0)
		return r;
	if (!json) {
		*ret_ns = 0;
		return 0;
	}
	if (!is_plain_duration(json_string_value(json)))
		return err_set(err, -EINVAL,
			       "%s.%s: \"%.64s\" is not a duration like 90s, 15m or 1h30m", path,
			       name, json_string_value(json));
	r = duration_parse(json_string_value(json), &ns, err);
	if (r < 0)
		return err_wrap(err, r, "%s.%s", path, name);
	if (ns < LIMIT_BOOST_NS_MIN || ns > LIMIT_BOOST_NS_MAX)
		return err_set(err, -EINVAL, "%s.%s: \"%s\" is not in 10s..24h", path, name,
			       json_string_value(json));
	*ret_ns = ns;
	return 0;
}

int fields_caps(const json_t *object, const char *path, const char *name, bool *ret_has,
		uint32_t *ret_caps, struct err *err)
{
	const json_t *json = NULL, *item;
	uint32_t caps = 0;
	size_t i;
	int r = fields_get(object, path, name, JSON_ARRAY, &json, err);

	if (r < 0)
		return r;
	json_array_foreach(json, i, item)
	{
		const char *text = json_string_value(item);
		uint32_t cap = text ? capability_from_name(text) : 0;

		if (!cap)
			return err_set(err, -EINVAL,
				       "%s.%s[%zu]: %s is not one of cpu, kernel, native", path,
				       name, i, text && printable(text) ? text : "it");
		if (caps & cap)
			return err_set(err, -EINVAL, "%s.%s[%zu]: %s is there twice", path, name, i,
				       text);
		caps |= cap;
	}
	*ret_has = json != NULL;
	*ret_caps = caps;
	return 0;
}

static bool is_name_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool name_valid(const char *text, size_t max, bool label_only)
{
	size_t len = text ? strnlen(text, max + 1) : 0;

	if (len == 0 || len > max || !is_name_alnum(text[0]) || !is_name_alnum(text[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++) {
		bool dot = text[i] == '.' && !label_only && text[i - 1] != '.';

		if (!is_name_alnum(text[i]) && text[i] != '-' && !dot)
			return false;
	}
	return true;
}
