/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/status_grace.h"

#include <string.h>

#include "controller/core/status/status_read.h"

/* Why it is programmed or is not; "" = it does not say. */
static const char *reason_of(const json_t *status)
{
	const char *reason =
		json_string_value(json_object_get(status_find(status, "Programmed"), "reason"));

	return reason ? reason : "";
}

static bool is_one_of(const char *reason, const char *one, const char *other)
{
	return strcmp(reason, one) == 0 || strcmp(reason, other) == 0;
}

bool status_awaits_agents(const json_t *before, const json_t *after)
{
	return is_one_of(reason_of(before), "Confirmed", "Disconnected") &&
	       is_one_of(reason_of(after), "Disconnected", "Pending") &&
	       json_equal(json_object_get(before, "observedGeneration"),
			  json_object_get(after, "observedGeneration"));
}

int64_t status_early_until(const json_t *before, const json_t *after, int64_t grace_ns,
			   int64_t now_ns, int64_t *behind_ns)
{
	bool awaits = status_awaits_agents(before, after);
	bool was_away = strcmp(reason_of(before), "Disconnected") == 0;
	int64_t until_ns = grace_ns;

	if (!awaits || strcmp(reason_of(before), reason_of(after)) == 0) {
		*behind_ns = 0;
	} else {
		if (!*behind_ns)
			*behind_ns = now_ns;
		until_ns = MAX(grace_ns,
			       *behind_ns + (was_away ? STATUS_RETURN_NS : STATUS_CATCH_UP_NS));
	}
	return awaits && now_ns < until_ns ? until_ns : 0;
}
