/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_CGROUP_CGROUPS_H
#define AGENT_CORE_CGROUP_CGROUPS_H

/* The cgroups of the node and whose they are.  Pure: fed by the scan (agent/kernel/cgroup_scan.h), by the
 * kernel's mkdir/rmdir events and by the plan; asked by the resolver and when samples are
 * attributed.
 *
 * A container is the topmost cgroup that is one: named by the kubelet's rules
 * (agent/core/cgroup/cgroup_name.h), or whose path a target of the plan gives.  What lies below it (systemd in
 * a pod, docker in docker) shares its slot, and need not be told. A cgroup that is gone stays as a tombstone for
 * CGROUP_TOMBSTONE_NS, so that its last samples find their pod.
 */

#include "agent/core/cgroup/container.h"
#include "lib/core/base.h"
#include "lib/core/plan/plan.h"

#define CGROUP_TOMBSTONE_NS (180 * NSEC_PER_SEC)
#define CGROUP_PATH_MAX 4096	   /* a longer path is not kept: what is in it counts for nobody */
#define CGROUPS_LIVING_MAX 65536   /* directories; more are refused and counted */
#define CGROUPS_TOMBSTONES_MAX 256 /* of one container; the older of more are forgotten at once */

struct cgroup {
	uint64_t id;
	char *path;
	struct container *container; /* NULL = outside: no container's */
	int64_t gone_ns;	     /* 0 = alive */
};

struct cgroups;

/* `slots` rows, of which 0 is nobody's. */
struct cgroups *cgroups_new(uint32_t slots);
void cgroups_free(struct cgroups *cgroups);

/* A directory was seen (event or scan).  Idempotent; an id that comes back with another path is a
 * rename. A path that is the end of the known one is the same seen from inside a cgroup namespace.
 * Returns whether anything changed. */
bool cgroups_add(struct cgroups *cgroups, uint64_t id, const char *path);
/* It was removed.  An unknown id is nothing. */
void cgroups_gone(struct cgroups *cgroups, uint64_t id, int64_t now_ns);
/* After a full scan: all living ids that are not in `seen` (sorted) are gone. */
void cgroups_keep_only(struct cgroups *cgroups, const uint64_t *seen, size_t seen_nr,
		       int64_t now_ns);

/* Bind containers to the plan's targets; called for each new plan and, inside, for each new cgroup.
 * The plan is borrowed until the next call; NULL is no plan. */
void cgroups_bind(struct cgroups *cgroups, const struct plan *plan);

/* Forget tombstones older than CGROUP_TOMBSTONE_NS; `freed` (may be NULL) is called with each slot
 * that becomes free, while its container still stands.  Containers without a slot get one then:
 * true. */
bool cgroups_reap(struct cgroups *cgroups, int64_t now_ns,
		  void (*freed)(void *ctx, const struct container *container), void *ctx);

/* Whether it is a container's topmost directory: nothing below it needs to be known.  Not if it is NULL. */
bool cgroup_is_whole(const struct cgroup *cgroup);

const struct cgroup *cgroups_find(const struct cgroups *cgroups, uint64_t id);
/* The i-th of cgroups_nr() in no order, living and tombstones. */
size_t cgroups_nr(const struct cgroups *cgroups);
const struct cgroup *cgroups_at(const struct cgroups *cgroups, size_t i);
/* Containers, living and just dead. */
size_t cgroups_container_nr(const struct cgroups *cgroups);

/* Living containers that have no slot because all are taken. */
uint64_t cgroups_slots_missing(const struct cgroups *cgroups);
/* There are as many living ones as may be: others are refused. */
bool cgroups_full(const struct cgroups *cgroups);
/* Directories refused since the start: too many, or too long a path. */
uint64_t cgroups_refused(const struct cgroups *cgroups);

#endif
