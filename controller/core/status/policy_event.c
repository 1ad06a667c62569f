/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/policy_event.h"

const struct event_reason *policy_event_reason(enum policy_event event)
{
	static const struct event_reason reason[POLICY_EVENT_NR] = {
		[POLICY_RAISED] = { "Normal", "Raise", "RateRaised" },
		[POLICY_RESTORED] = { "Normal", "Restore", "RateRestored" },
		[POLICY_CLAMPED] = { "Warning", "Clamp", "RateClamped" },
		[POLICY_FAILED] = { "Warning", "Apply", "NotApplied" },
		[POLICY_REFUSED] = { "Warning", "Accept", "Invalid" },
	};

	return &reason[event];
}

const struct event_reason *policy_event_unreadable(void)
{
	static const struct event_reason reason = { "Warning", "Read", "Unreadable" };

	return &reason;
}
