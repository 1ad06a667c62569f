/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/status_duration.h"

#include <stdio.h>

#include "lib/core/text/duration.h"

/* How long it lasts. */
static int64_t length_of(const struct object *object, const struct boost_clock *clock,
			 const struct duration_limits *limits)
{
	if (clock_is_of(clock, object->generation))
		return clock->end_ns - clock->start_ns;
	return MIN(object->policy.duration_ns, limits->all.ns);
}

bool status_duration(const struct object *object, const struct boost_clock *clock,
		     const struct duration_limits *limits, char ret_text[STATUS_DURATION_MAX])
{
	int64_t asked_ns = object->policy.duration_ns, length_ns = length_of(object, clock, limits);
	bool by_limit = limits->all.ns < asked_ns;
	char asked[DURATION_TEXT_MAX], length[DURATION_TEXT_MAX];
	size_t len = 0;

	if (asked_ns == 0)
		return false;
	duration_format(asked_ns, asked);
	duration_format(length_ns, length);
	/* A run that was taken over by the wall clock has whole seconds. */
	if (by_limit || length_ns < asked_ns - asked_ns % NSEC_PER_SEC)
		len = (size_t)snprintf(ret_text, STATUS_DURATION_MAX,
				       "duration %.24s shortened to %.24s by %.63s", asked, length,
				       by_limit ? limits->all.by : "a limit that is no more");
	if (limits->some.ns >= length_ns)
		return len > 0;
	duration_format(limits->some.ns, length);
	snprintf(ret_text + len, STATUS_DURATION_MAX - len,
		 "%sit ends after %.24s on nodes that %.63s selects", len ? "; " : "", length,
		 limits->some.by);
	return true;
}
