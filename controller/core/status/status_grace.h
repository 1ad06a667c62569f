/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STATUS_STATUS_GRACE_H
#define CONTROLLER_CORE_STATUS_STATUS_GRACE_H

/* What a controller shall not say yet.  Pure.
 *
 * Every pod that comes or goes changes its node's plan, and the agent there confirms the new one within
 * milliseconds: a policy that it had confirmed is not to flip for that.  After a restart of the controller the
 * agents run on with what they had and are back within seconds: nor is it to be called Disconnected for that. */

#include "lib/core/base.h"

#include <jansson.h>

/* From the first look at statuses; an agent that tries every few seconds is back by then. */
#define STATUS_GRACE_NS (10 * NSEC_PER_SEC)
/* For an agent to confirm a plan that changed, before a policy says that it has not. */
#define STATUS_CATCH_UP_NS (2 * NSEC_PER_SEC)
/* For an agent that is connected again, before a policy says Pending and not Disconnected any more.  One that says nothing is
 * cut off after three seconds (HUB_ACK_NS) and comes back, again and again: it stays Disconnected. */
#define STATUS_RETURN_NS (5 * NSEC_PER_SEC)

/* Would the status say of a generation whose last word was Confirmed (or Disconnected) that agents are
 * missing, or have yet to confirm?  Either may be NULL. */
bool status_awaits_agents(const json_t *before, const json_t *after);

/* Until when it is too early to say `after`, when `before` is what was said last; 0 = it is not.  `grace_ns`: when the grace
 * after the start ends; *behind_ns is kept for the policy (0 at first): since when it would say another reason. */
int64_t status_early_until(const json_t *before, const json_t *after, int64_t grace_ns,
			   int64_t now_ns, int64_t *behind_ns);

#endif
