/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_PLAN_PLAN_CHECK_H
#define LIB_CORE_PLAN_PLAN_CHECK_H

/* What an agent accepts, said once: the agent asks these of every plan that it reads, the controller of every part before
 * it goes into a plan.  Strings of 1 to N bytes (lib/core/limits.h) without control characters, counts within their
 * limits.  All return 0, or -EINVAL with err, which begins with the member. */

#include "lib/core/plan/plan.h"

/* Can it be the name of a pod, a container, a service? */
bool plan_name_valid(const char *name);

/* An absolute path that stays below its root: no empty, "." or ".." component. */
bool plan_cgroup_valid(const char *path);

must_check int plan_class_check(const struct plan_class *cls, struct err *err);
must_check int plan_container_check(const struct plan_container *container, struct err *err);
must_check int plan_label_check(const struct plan_label *label, struct err *err);
/* Its containers and labels, too. */
must_check int plan_target_check(const struct plan_target *target, struct err *err);
must_check int plan_boost_check(const struct plan_boost *boost, struct err *err);

/* What holds between the parts of a normalized plan: counts; classes and boosts that are named exist. */
must_check int plan_check(const struct plan *plan, struct err *err);

#endif
