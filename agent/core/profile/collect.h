/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PROFILE_COLLECT_H
#define AGENT_CORE_PROFILE_COLLECT_H

/* Gives samples to containers and cuts time into profiles.  Pure; times are CLOCK_BOOTTIME.
 *
 * A profile is of one container, at one rate, from one cut to the next: the window's end, or the moment
 * its rate changed.  All profiles of a window are emitted together at its end, so that samples of the
 * old rate which were on their way during a change still find their place.
 *
 * A container that no target names yet keeps its profiles for hold_ns, in case the plan is on its way; then they go
 * out as namespace "_unknown", pod = its uid, container = the first 12 of its id.  Samples of a cgroup that nobody
 * has ever seen (its events were lost, and it is gone) go to "_unknown", "_gone", "_gone".
 */

#include "agent/core/cgroup/cgroups.h"
#include "agent/core/profile/profile.h"
#include "lib/core/base.h"

struct sample;
struct collect;

#define COLLECT_HOLD_NS (120 * NSEC_PER_SEC)
#define COLLECT_HELD_MAX 1024 /* profiles kept for want of a name; more go out at once */

/* A finished profile.  meta.node is left to the receiver; meta.start_ns is CLOCK_BOOTTIME here. */
struct collect_done {
	struct profile *profile;
	struct profile_meta meta;
};

struct collect_events {
	/* A sample's cgroup is not known: scan again, if that was not just done.  May be NULL. */
	void (*unknown)(void *ctx, uint64_t cgroup);
	/* Normalize the sample and add it: symbolizer_add(). */
	void (*add)(void *ctx, struct profile *profile, const struct sample *sample);
	/* The container's clock: sampler_slot_clock(). */
	void (*clock)(void *ctx, uint32_t slot, uint64_t *ret_seen_ns, uint64_t *ret_taken_ns);
	/* Profiles are done; they and the strings are valid during the call. */
	void (*done)(void *ctx, const struct collect_done *done, size_t nr);
};

struct collect_stats {		   /* all only grow, but for the last */
	uint64_t samples, cpu_ns;  /* given to containers */
	uint64_t outside_ns;	   /* CPU time of samples that are no container's */
	uint64_t unattributed_ns;  /* emitted as "[unattributed]" */
	uint64_t unknown_profiles; /* emitted under "_unknown" */
	uint64_t unnamed;	   /* containers with samples and no name now */
};

struct collect *collect_new(const struct cgroups *cgroups, const struct collect_events *events,
			    void *ctx, int64_t hold_ns, int64_t now_ns);
void collect_free(struct collect *collect);

void collect_sample(struct collect *collect, const struct sample *sample);

/* The rate in force for a container from now on; called for every living container after each apply.
 * Returns the one that was before, which for a new container is the same. */
uint32_t collect_rate(struct collect *collect, const struct container *container, uint32_t rate_hz,
		      int64_t now_ns);

/* The window ended at now_ns and is drained: emit.  `last`: the agent ends, nothing is held back. */
void collect_window(struct collect *collect, int64_t now_ns, bool last);

/* The container is about to be forgotten by cgroups_reap(). */
void collect_forget(struct collect *collect, const struct container *container);

void collect_stats(const struct collect *collect, struct collect_stats *ret_stats);

#endif
