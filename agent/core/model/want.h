/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_MODEL_WANT_H
#define AGENT_CORE_MODEL_WANT_H

/* What the BPF maps shall hold: made by agent/core/plan/resolve.h, written by agent/kernel/sampler.h.  Plain data. */

#include "bpf/sampler.h"
#include "lib/core/base.h"

struct want_class {
	char *id; /* the plan's class id, "" for PROF_CLASS_UNKNOWN; NULL in a row that resolve() gave to none */
	uint32_t rate_hz;
	uint32_t caps;
	bool clamped; /* by the local ceiling */
	bool used;    /* a row that no class holds any more is off, and free for the next */
};

struct want_cgroup {
	uint64_t id;
	uint32_t slot, cls;
	bool whole; /* what lies below it, too */
};

struct want {
	struct want_class cls[PROF_CLASSES];
	size_t cls_nr;		    /* rows in use are below this */
	struct want_cgroup *cgroup; /* sorted by id */
	size_t cgroup_nr;
	bool full;	  /* there is room for no more cgroups */
	uint32_t base_hz; /* 53, 107 or 211: the prime above the highest rate in use */
};

void want_release(struct want *want);

#endif
