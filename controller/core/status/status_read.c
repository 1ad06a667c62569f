/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/status_read.h"

#include <string.h>

bool status_equal(const json_t *a, const json_t *b)
{
	if (!a || !b)
		return a == b;
	return json_equal(a, b);
}

static bool has_text(const json_t *json, const char *member, const char *text)
{
	const char *there = json_string_value(json_object_get(json, member));

	return there && strcmp(there, text) == 0;
}

const json_t *status_find(const json_t *status, const char *type)
{
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(status, "conditions"), i, json)
	{
		if (has_text(json, "type", type))
			return json;
	}
	return NULL;
}

bool status_condition(const json_t *status, const char *type)
{
	return has_text(status_find(status, type), "status", "True");
}

const char *status_message(const json_t *status, const char *type)
{
	return json_string_value(json_object_get(status_find(status, type), "message"));
}

int64_t status_generation(const json_t *status, const char *type)
{
	return json_integer_value(json_object_get(status_find(status, type), "observedGeneration"));
}

bool status_is_refusal(const json_t *status)
{
	return has_text(status_find(status, "Accepted"), "status", "False");
}

bool status_flips(const json_t *before, const json_t *after)
{
	const json_t *list = json_object_get(after, "conditions"), *condition;
	size_t i;

	if (!before ||
	    !status_equal(json_object_get(before, "observedGeneration"),
			  json_object_get(after, "observedGeneration")) ||
	    json_array_size(json_object_get(before, "conditions")) != json_array_size(list))
		return true;
	json_array_foreach(list, i, condition)
	{
		const char *type = json_string_value(json_object_get(condition, "type"));

		if (type && status_condition(before, type) != status_condition(after, type))
			return true;
	}
	return false;
}
