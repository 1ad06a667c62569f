/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DAEMON_AGENT_PRIV_H
#define AGENT_DAEMON_AGENT_PRIV_H

/* What the files of the agent share; nobody else includes this.
 *
 * agent.c	   life: start, events, stop	   agent_apply.c    plan -> rows, and who changed
 * agent_window.c  swap, drain, profiles	   agent_metrics.c  what is read at scrape time
 * agent_sinks.c   where profiles go
 */

#include "agent/control/control_client.h"
#include "agent/core/cgroup/cgroup_mount.h"
#include "agent/core/cgroup/cgroups.h"
#include "agent/core/plan/resolve.h"
#include "agent/core/profile/collect.h"
#include "agent/daemon/agent.h"
#include "agent/kernel/sampler.h"
#include "agent/kernel/sideband.h"
#include "agent/sink/sink_file.h"
#include "agent/sink/sink_push.h"
#include "agent/symbolize/symbolize.h"
#include "lib/core/limits.h"

#include <uv.h>

#define AGENT_WATCHES 64     /* namespaces whose first sample at a new rate is awaited */
#define AGENT_CHANGES_MAX 16 /* namespaces named in the log of one apply */

struct push_labeler;

struct watch {
	char ns[LIMIT_NAME_BYTES + 1];
	uint32_t rate_hz;
	int64_t applied_ns; /* CLOCK_BOOTTIME */
};

struct counters {
	struct metric *rate_changes, *profiles, *profile_bytes, *drain_failed, *apply_failed,
		*rescans;
	struct metric *plan_applied;
};

struct wall {			   /* CLOCK_REALTIME - CLOCK_BOOTTIME */
	int64_t offset_ns;	   /* as believed */
	int64_t next_ns, since_ns; /* as last seen, and since when */
};

struct agent {
	uv_loop_t *loop;
	const struct settings *settings;
	struct metrics *metrics;
	struct counters count;

	struct cgroup_mount mount;
	struct cgroups *cgroups;
	struct sampler *sampler;
	struct collect *collect;
	struct symbolizer *symbolizer;
	struct sideband *sideband;		 /* NULL = none */
	struct sink_file *sink;			 /* NULL = none */
	struct sink_push *push[PUSH_BACKEND_NR]; /* NULL = none */
	struct push_labeler *labeler;
	struct control_client *client; /* NULL = none */

	struct ceiling ceiling;
	const struct plan *plan; /* borrowed from the client; NULL before the first */
	struct want *want;	 /* in force; NULL before the first */
	bool sampling, stopping;
	bool missing_told; /* the log says that not all containers have room */

	/* Cgroups came or went, and the rows are not yet so. */
	bool stale;
	uv_timer_t refresh;
	int64_t refreshed_ns;

	/* One swap and its drain at a time. */
	uv_timer_t cycle, window;
	uv_timer_t names; /* runs while the kernel's symbols are read */
	bool draining;	  /* swapped, not yet drained */
	bool window_due;  /* the next swap ends a window */
	bool ends_window; /* the last swap did */
	int64_t swapped_ns;
	int64_t fast_until_ns; /* swap again and again till then, for the sake of the watches */
	struct watch watch[AGENT_WATCHES];
	size_t watch_nr;

	uv_poll_t ring;
	uv_poll_t side;
	uv_timer_t rescan, sweep;
	int64_t scanned_ns;
	uint64_t *seen; /* of the scan that runs */
	size_t seen_nr;
	uint64_t lost_reported;
	uint64_t ended[PROF_END_NR]; /* samples by how their user stack ended */

	struct wall wall;
	struct ns_gauges *gauges; /* agent_metrics.c */
};

/* --- agent_apply.c --- */

/* control_client_events.apply */
int agent_apply_plan(void *agent, const struct plan *plan, struct control_client_result *result,
		     struct err *err);

/* Make the rows those of the plan and the cgroups as they are now. */
must_check int agent_refresh(struct agent *agent, struct err *err);

/* The same, soon: at once if that was not just done. */
void agent_refresh_soon(struct agent *agent);
void agent_apply_init(struct agent *agent);

/* --- agent_window.c --- */

void agent_window_start(struct agent *agent);
/* Swap and drain as soon as may be. */
void agent_cycle(struct agent *agent);
/* Swap, wait, drain, all at once, and emit everything: the end. */
void agent_window_finish(struct agent *agent);

/* sampler_events.sample, collect_events.done */
void agent_on_sample(void *agent, const struct sample *sample);
void agent_on_done(void *agent, const struct collect_done *done, size_t nr);

/* --- agent_sinks.c --- */

must_check int agent_sinks_open(struct agent *agent, struct err *err);
/* Let the last profiles go; sinks close their handles in their own time. */
void agent_sinks_stop(struct agent *agent);
void agent_sinks_free(struct agent *agent);

/* Is there any? */
bool agent_sinks_any(const struct agent *agent);
/* Give a profile to each.  The error is of what is lost by ourselves: a backend's are the sink's own to tell. */
must_check int agent_sinks_write(struct agent *agent, const struct profile *profile,
				 const struct profile_meta *meta, struct err *err);

void agent_sinks_metrics(struct agent *agent);

/* --- agent_metrics.c --- */

void agent_metrics_init(struct agent *agent);
void agent_metrics_release(struct agent *agent);

/* --- agent.c --- */

void agent_rescan(struct agent *agent);

#endif
