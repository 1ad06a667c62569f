/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_CGROUP_CGROUPS_BIND_H
#define AGENT_CORE_CGROUP_CGROUPS_BIND_H

/* The part of agent/core/cgroup/cgroups.h that names containers by the plan.  For agent/core/cgroup/cgroups.c only.  Pure.
 */

#include "agent/core/cgroup/cgroups.h"
#include "agent/core/cgroup/plan_index.h"

/* Fill what container says of the plan: by its path, by its cid, or by its pod's uid; a pod of
 * exactly one container needs no cid.  What no target names keeps its name and loses its class. */
void container_bind(struct container *container, const struct plan *plan,
		    const struct plan_index *index);

void container_release(struct container *container);

#endif
