/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_KERNEL_SAMPLER_PRIV_H
#define AGENT_KERNEL_SAMPLER_PRIV_H

/* What the files of the sampler share; nobody else includes this.
 *
 * sampler.c	    life, events, windows		sampler_load.c	load, and explain a failure
 * sampler_rows.c   wanted rows -> maps, verified	sampler_cpus.c	one event per CPU
 * sampler_drain.c  maps -> samples			sampler_stats.c	counters, clocks, sizes
 */

#include "agent/kernel/sampler.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

struct sampler_bpf;

/* What the maps hold, or shall hold. */
struct map_rows {
	struct prof_class cls[PROF_CLASSES];
	struct want_cgroup *cgroup; /* sorted by id */
	size_t cgroup_nr;
	uint32_t base_hz; /* 0 = no events */
};

struct cpu_event {
	int cpu;
	struct bpf_link *link; /* owns the perf event; NULL = none yet */
	int fd;		       /* of the perf event */
	uint64_t enabled_ns;   /* of its life, at the last check */
};

struct sampler {
	struct sampler_bpf *skel;
	struct ring_buffer *ring;
	struct prof_class *cls; /* the map, of PROF_CLASSES; NULL = not mapped */
	struct sampler_events events;
	void *ctx;
	struct map_rows applied;
	struct cpu_event *cpu; /* ascending */
	size_t cpu_nr;
	uint32_t base_hz; /* at which they run */
	struct bpf_link *cgroup_link[3];
	int possible_cpus;
	int poll_left; /* records sampler_poll() may still handle */
	uint64_t no_stack;
};

/* --- sampler_load.c --- */
must_check int sampler_load(struct sampler *sampler, const struct sampler_options *options,
			    struct err *err);

/* --- sampler_rows.c --- */
void map_rows_release(struct map_rows *rows);

/* --- sampler_cpus.c --- */
/* Make the events those of the online CPUs, at base_hz.  All or nothing: on failure the old ones
 * stay. */
must_check int sampler_set_base(struct sampler *sampler, uint32_t base_hz, struct err *err);

#endif
