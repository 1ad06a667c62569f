/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PLAN_RESOLVE_H
#define AGENT_CORE_PLAN_RESOLVE_H

/* Plan + cgroups + now -> what the BPF maps shall hold.  Pure; the other half is sampler_apply(). */

#include "agent/core/cgroup/cgroups.h"
#include "bpf/sampler.h"
#include "lib/core/limits.h"
#include "lib/core/plan/plan.h"

/* The agent's own last word (its command line). */
struct ceiling {
	uint32_t max_rate_hz; /* <= LIMIT_SAMPLE_RATE_HZ */
	uint32_t caps;	      /* allowed capabilities */
};

#define WANT_ID_MAX (LIMIT_PLAN_ID_BYTES + 1)

struct want_class {
	char id[WANT_ID_MAX]; /* the plan's class id; "" in rows 0 and 1, PROF_CLASS_UNKNOWN and _OUTSIDE */
	uint32_t rate_hz;
	uint32_t caps;
	bool clamped; /* by the local ceiling */
	bool used;    /* a row that no class holds any more is off, and free for the next */
};

struct want_cgroup {
	uint64_t id;
	uint32_t slot, cls;
};

struct want {
	struct want_class cls[PROF_CLASSES];
	size_t cls_nr;		    /* rows in use are below this */
	struct want_cgroup *cgroup; /* sorted by id */
	size_t cgroup_nr;
	uint32_t base_hz; /* 53, 107 or 211: the prime above the highest rate in use */
};

void want_release(struct want *want);

/* The step of `cls` in force at now_ns (CLOCK_BOOTTIME): the first all of whose boosts live. */
const struct plan_step *step_in_force(const struct plan *plan, const struct plan_class *cls,
				      int64_t now_ns);

/* When the next boost of the plan ends (deadline or dead-man), or INT64_MAX. */
int64_t plan_next_end(const struct plan *plan, int64_t now_ns);

/* Compute the wanted rows.  `plan` may be NULL: the built-in default for every container.  `prev` (may be
 * NULL) keeps row numbers stable: a class keeps its row while it exists.  Class "" always has a row, of
 * containers that no target names, and PROF_CLASS_UNKNOWN has its settings too.
 * ret_want is overwritten, not released; it is large, so it lives on the heap. */
void resolve(const struct plan *plan, const struct cgroups *cgroups, const struct ceiling *ceiling,
	     const struct want *prev, int64_t now_ns, struct want *ret_want);

#endif
