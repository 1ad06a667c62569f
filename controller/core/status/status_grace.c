/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/status_grace.h"

#include <string.h>

static bool has_reason(const json_t *status, const char *const reason[2])
{
	const json_t *condition;
	size_t i;

	json_array_foreach(json_object_get(status, "conditions"), i, condition)
	{
		const char *type = json_string_value(json_object_get(condition, "type"));
		const char *is = json_string_value(json_object_get(condition, "reason"));

		if (type && is && strcmp(type, "Programmed") == 0)
			return strcmp(is, reason[0]) == 0 || strcmp(is, reason[1]) == 0;
	}
	return false;
}

bool status_awaits_agents(const json_t *before, const json_t *after)
{
	static const char *const told[] = { "Confirmed", "Disconnected" };
	static const char *const missing[] = { "Disconnected", "Pending" };

	return has_reason(before, told) && has_reason(after, missing) &&
	       json_equal(json_object_get(before, "observedGeneration"),
			  json_object_get(after, "observedGeneration"));
}
