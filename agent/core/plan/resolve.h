/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PLAN_RESOLVE_H
#define AGENT_CORE_PLAN_RESOLVE_H

/* Plan + cgroups + now -> what the BPF maps shall hold.  Pure; the other half is sampler_apply(). */

#include "agent/core/cgroup/cgroups.h"
#include "agent/core/model/want.h"
#include "lib/core/plan/plan.h"

/* The agent's own last word (its command line). */
struct ceiling {
	uint32_t max_rate_hz; /* <= LIMIT_SAMPLE_RATE_HZ */
	uint32_t caps;	      /* allowed capabilities */
	uint32_t cgroups;     /* that the map has room for; 0 = PROF_CGROUPS */
};

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

/* The living containers that `want` does not hold as `cgroups` has them: those without a slot, or with a cgroup for which
 * there was no room.  When cgroups themselves were refused, they may be anybody's. */
struct control_missing;
void resolve_missing(const struct want *want, const struct cgroups *cgroups,
		     struct control_missing *ret_missing);

#endif
