/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STATUS_POLICY_EVENT_H
#define CONTROLLER_CORE_STATUS_POLICY_EVENT_H

/* What people are told of a policy's course by Events (kube/core/event_recorder.h).  Pure. */

#include "kube/core/event_recorder.h"

enum policy_event {
	POLICY_RAISED,	 /* Normal RateRaised */
	POLICY_RESTORED, /* Normal RateRestored */
	POLICY_CLAMPED,	 /* Warning RateClamped */
	POLICY_FAILED,	 /* Warning NotApplied */
	POLICY_REFUSED,	 /* Warning Invalid */
	POLICY_EVENT_NR,
};

const struct event_reason *policy_event_reason(enum policy_event event);

/* Of a Pod, Node or Namespace: it cannot be read.  Warning Unreadable. */
const struct event_reason *policy_event_unreadable(void);

#endif
