/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STATUS_CONDITION_H
#define CONTROLLER_CORE_STATUS_CONDITION_H

#include "lib/core/base.h"

#include <jansson.h>

/* What a condition says; the texts are valid while the status is built. */
struct verdict {
	bool is;
	const char *reason, *message;
};

/* The conditions of a status that is built. */
struct condition_list {
	json_t *conditions;
	const json_t *previous; /* the status last stored, or NULL */
	int64_t generation, now_wall_s;
};

/* Add a condition, or put it in the place of the one of its type.  lastTransitionTime stays what it was before while the
 * condition's status does. */
void condition_add(struct condition_list *list, const char *type, const struct verdict *verdict);

#endif
