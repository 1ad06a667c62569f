/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_COMPILE_COMPILE_TARGET_H
#define CONTROLLER_CORE_COMPILE_COMPILE_TARGET_H

/* A pod as a target of a plan. */

#include "controller/core/compile/compile_options.h"
#include "controller/core/object/model.h"
#include "lib/core/plan/plan.h"

/* `cls`: those of the plan; `pod_class` and `container_class` (of each container) are places in it.  What an agent would not
 * take is left out alone.  Returns what is: bits 1 << enum pod_lost; with POD_LOST_POD there is no target. */
unsigned target_make(struct plan_target *ret_target, const struct object *pod,
		     const struct plan_class *cls, size_t pod_class, const size_t *container_class,
		     const struct compile_options *options);

#endif
