/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STATUS_STATUS_READ_H
#define CONTROLLER_CORE_STATUS_STATUS_READ_H

/* Looking into a policy's status (status.h), ours or what is stored; that may be anything.  Pure. */

#include "lib/core/base.h"

#include <jansson.h>

/* Same content?  Either may be NULL. */
bool status_equal(const json_t *a, const json_t *b);

/* Is `after` of another generation, or has any condition another status?  The rest are counts and words.  `before` may be
 * NULL: everything is news then. */
bool status_flips(const json_t *before, const json_t *after);

/* The condition of this type, or NULL; borrowed.  `status` may be NULL, here and below. */
const json_t *status_find(const json_t *status, const char *type);

/* Is the condition True? */
bool status_condition(const json_t *status, const char *type);
/* What it says, or NULL; borrowed. */
const char *status_message(const json_t *status, const char *type);
/* Which generation it was said of; 0 = there is no such condition. */
int64_t status_generation(const json_t *status, const char *type);

/* Does the status speak of a generation that was refused? */
bool status_is_refusal(const json_t *status);

#endif
