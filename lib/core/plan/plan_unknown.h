/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_PLAN_PLAN_UNKNOWN_H
#define LIB_CORE_PLAN_PLAN_UNKNOWN_H

/* What a newer controller says and this version does not know. */

#include "lib/core/base.h"

#include <jansson.h>

/* How many members and capabilities of the classes and targets of `json`, a plan or a delta, plan_from_json() and
 * plan_delta_apply() pass over.  Since they are part of the content, its hash cannot be checked when there are any.
 * *ret_first is the first one's name, borrowed, or NULL; it may be anything. */
size_t plan_unknown(const json_t *json, const char **ret_first);

#endif
