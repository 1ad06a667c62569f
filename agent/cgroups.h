/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CGROUPS_H
#define AGENT_CGROUPS_H

/* The cgroups of the node and whose they are.  Pure: fed by the scan (agent/cgroup_scan.h), by the
 * kernel's mkdir/rmdir events and by the plan; asked by the resolver and when samples are attributed.
 *
 * A container is the topmost cgroup that is one: named by the kubelet's rules (agent/cgroup_name.h), or
 * whose path a target of the plan gives.  What lies below it (systemd in a pod, docker in docker) shares its slot.
 * A cgroup that is gone stays as a tombstone for CGROUP_TOMBSTONE_NS, so that its last samples find their pod.
 */

#include "lib/base.h"
#include "lib/plan.h"

#define CGROUP_TOMBSTONE_NS (180 * NSEC_PER_SEC)
#define CGROUP_PATH_MAX 4096

/* One container as it will stand in the profile's labels.  Lives as long as its cgroups' tombstones. */
struct container {
	uint32_t slot;	  /* row in states[]; 0 = none left: counted, not sampled */
	uint64_t cgroup;  /* id of its topmost cgroup */
	char *pod_uid;	  /* from the path, or the target that gave the path; never NULL */
	char *cid;	  /* container id from the path; "" for the pod's own cgroup */
	char *path;
	/* From the plan; NULL until a target names it.  Kept when the target goes, for the tombstone. */
	char *ns, *pod, *name, *service, *class_id;
	struct plan_label *label;
	size_t label_nr;
	int64_t gone_ns; /* 0 = alive */
};

struct cgroup {
	uint64_t id;
	char *path;
	struct container *container; /* NULL = outside: no container's */
	int64_t gone_ns;	     /* 0 = alive */
};

struct cgroups;

struct cgroups *cgroups_new(uint32_t slots);
void cgroups_free(struct cgroups *cgroups);

/* A directory was seen (event or scan).  Idempotent; an id that comes back with another path is a rename.
 * Returns whether anything changed. */
bool cgroups_add(struct cgroups *cgroups, uint64_t id, const char *path);
/* It was removed. */
void cgroups_gone(struct cgroups *cgroups, uint64_t id, int64_t now_ns);
/* After a full scan: all living ids that are not in `seen` (sorted) are gone. */
void cgroups_keep_only(struct cgroups *cgroups, const uint64_t *seen, size_t seen_nr, int64_t now_ns);

/* Bind containers to the plan's targets; called for each new plan and, inside, for each new cgroup. */
void cgroups_bind(struct cgroups *cgroups, const struct plan *plan);

/* Forget tombstones older than CGROUP_TOMBSTONE_NS; `freed` is called with each slot that becomes free. */
void cgroups_reap(struct cgroups *cgroups, int64_t now_ns, void (*freed)(void *ctx, uint32_t slot), void *ctx);

const struct cgroup *cgroups_find(const struct cgroups *cgroups, uint64_t id);
/* The i-th of cgroups_nr() in no order, living and tombstones. */
size_t cgroups_nr(const struct cgroups *cgroups);
const struct cgroup *cgroups_at(const struct cgroups *cgroups, size_t i);
/* Containers that got no slot because all are taken. */
uint64_t cgroups_slots_missing(const struct cgroups *cgroups);

#endif
