/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_CGROUP_CONTAINER_H
#define AGENT_CORE_CGROUP_CONTAINER_H

/* A container of this node, and what the plan says of it.  Pure. */

#include "agent/core/cgroup/plan_index.h"
#include "lib/core/base.h"
#include "lib/core/plan/plan.h"

/* One container as it will stand in the profile's labels.  Lives as long as its cgroups'
 * tombstones. */
struct container {
	uint32_t slot;	 /* row in states[]; 0 = none left: counted, not sampled */
	uint64_t cgroup; /* id of its topmost cgroup */
	bool whole; /* all that lies below that is its own: false for a pod's, which has containers below it */
	char *pod_uid; /* from the path, or of the target that gave the path; never NULL */
	char *cid;     /* container id from the path; "" for the pod's own cgroup */
	char *path;
	/* From the plan; NULL until a target names it.  Kept when the target goes, but for
	 * class_id, which is NULL again then: the default's.  A container that the target does not
	 * list is called by the first 12 of its cid, the pod's own cgroup "_pod". */
	char *ns, *pod, *name, *service, *class_id;
	struct plan_label *label;
	size_t label_nr;
	int64_t gone_ns; /* 0 = alive */
};

/* Fill what the plan says of the container: by its path, by its cid, or by its pod's uid; a pod of
 * exactly one container needs no cid.  What no target names keeps its name and loses its class.
 * `plan` may be NULL. */
void container_bind(struct container *container, const struct plan *plan,
		    const struct plan_index *index);

/* Free its contents, not the struct. */
void container_release(struct container *container);

#endif
