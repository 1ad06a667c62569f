/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_KERNEL_SAMPLER_H
#define AGENT_KERNEL_SAMPLER_H

/* The shell over the BPF programs: loads them, keeps one cpu-clock event per CPU, writes what is
 * wanted into the maps and reads samples out.  Knows neither plans nor pods.
 *
 * Wanted and applied.  sampler_apply() compares with what the maps hold (kept, and read back after
 * each write), writes the difference and verifies it; so 0 means the kernel agrees.
 *
 * Windows.  Two sets of maps; sampler_swap() flips the one the programs write to, and
 * sampler_drain(), not earlier than SAMPLER_GRACE_NS later (a program may still be running), reads
 * and empties the other.
 *
 * Needs CAP_BPF and CAP_PERFMON, Linux 5.15 with BTF; x86-64.  RLIMIT_MEMLOCK is left alone (such
 * kernels account maps to the memory cgroup). Kernels 5.19 to 6.1 without the fix of
 * copy_from_user_nofault() can lock up with CONFIG_HARDENED_USERCOPY when a program reads user
 * memory in an interrupt; distributions have shipped the fix since 2023.  We never call
 * bpf_get_stackid(), which has made kernels of 2024 panic.
 */

#include "agent/core/model/sample.h"
#include "agent/core/model/want.h"
#include "bpf/sampler.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#define SAMPLER_GRACE_NS (5 * NSEC_PER_MSEC)

struct sampler;

struct sampler_options {
	bool v1;	     /* no cgroup2 hierarchy: take the id from the v1 memory controller */
	uint32_t slots;	     /* containers; 0 = PROF_SLOTS */
	uint32_t cgroups;    /* 0 = PROF_CGROUPS */
	uint32_t rows;	     /* distinct stacks of a window; 0 = by the number of CPUs */
	uint32_t ring_bytes; /* for what finds these full: a power of two of pages; 0 likewise */
};

/* What the kernel tells between drains.  Paths and samples are valid during the call only. */
struct sampler_events {
	void (*cgroup_made)(void *ctx, uint64_t id, const char *path);
	void (*cgroup_gone)(void *ctx, uint64_t id, const char *path);
	void (*process_seen)(void *ctx, uint32_t tgid, uint64_t image, uint64_t cgroup);
	void (*sample)(void *ctx,
		       const struct sample *sample); /* overflow; also called by sampler_drain() */
};

/* Load and verify the programs and make the maps; nothing is attached yet.  On failure err says
 * what is missing (kernel version, BTF, capability, sysctl) and how to get it. */
must_check int sampler_new(const struct sampler_options *options,
			   const struct sampler_events *events, void *ctx,
			   struct sampler **ret_sampler, struct err *err);
void sampler_free(struct sampler *sampler);

/* Open and attach the events on every online CPU, at the base rate of `want`, and the cgroup
 * tracepoints.  May be called again after a failure. */
must_check int sampler_start(struct sampler *sampler, const struct want *want, struct err *err);

/* Make the maps and the base rate what `want` says; see above.  On failure the maps hold what they
 * held before, as far as the kernel lets us, and err names the row. */
must_check int sampler_apply(struct sampler *sampler, const struct want *want, struct err *err);

/* CPUs come and go: open events on those that are new, drop those of the ones gone.  Cheap (reads
 * one small file, and each event's time) when nothing changed; call it every few seconds.  A CPU that went off and came back
 * between two calls has lost its event; the second call after that opens another. */
must_check int sampler_check_cpus(struct sampler *sampler, struct err *err);

/* A file descriptor that polls readable when the ring buffer has something; then sampler_poll(),
 * which handles at most `max` records and returns how many. */
int sampler_fd(const struct sampler *sampler);
int sampler_poll(struct sampler *sampler, int max);

void sampler_swap(struct sampler *sampler);
/* Calls events->sample for each row, and sampler_poll() before, so that what went by the ring
 * buffer is in the same window; returns rows, or a negative errno.  A row whose frames are gone
 * comes without them (PROF_STAT_NO_STACK): CPU time is never lost here. */
must_check int sampler_drain(struct sampler *sampler, struct err *err);

/* What the container's own clock gained (sum over CPUs, ns): everything seen, and what was given to
 * samples.  seen - taken is less than one stratum per CPU. */
void sampler_slot_clock(struct sampler *sampler, uint32_t slot, uint64_t *ret_seen_ns,
			uint64_t *ret_taken_ns);
/* Zero a slot's clocks before it is given to another container. */
void sampler_slot_reset(struct sampler *sampler, uint32_t slot);

/* Sum over CPUs of one counter. */
uint64_t sampler_stat(struct sampler *sampler, enum prof_stat stat);
/* Bytes the kernel accounts for our maps. */
uint64_t sampler_map_bytes(const struct sampler *sampler);

struct sampler_cost {
	uint64_t run_ns,
		runs; /* of the tick program; they stand still unless BPF statistics are enabled */
	uint64_t verified_insns; /* what the verifier walked through; 0 before Linux 5.16 */
};
must_check int sampler_cost(const struct sampler *sampler, struct sampler_cost *ret_cost);

#endif
