/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_STATUS_GRACE_H
#define CONTROLLER_STATUS_GRACE_H

/* What a controller that has just been started shall not say yet.  Pure.
 *
 * Its agents run on with what they had, and are back within seconds.  Until then a policy that they had
 * confirmed would be called Disconnected, and everybody who watches it would be told so. */

#include "lib/base.h"

#include <jansson.h>

/* From the first look at statuses; an agent that tries every few seconds is back by then. */
#define STATUS_GRACE_NS (10 * NSEC_PER_SEC)

/* Would the status say of a generation whose last word was Confirmed (or Disconnected) that agents are
 * missing, or have yet to confirm?  Either may be NULL. */
bool status_awaits_agents(const json_t *before, const json_t *after);

#endif
