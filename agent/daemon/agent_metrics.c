/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/daemon/agent_priv.h"

#include "lib/loop.h"
#include "lib/observe/metrics.h"

#include <string.h>

#define RATE_NAME "rubato_agent_sampling_frequency_hertz"
#define NS_MAX 500 /* namespaces with a gauge of their own; a family's own bound folds the rest */

struct ns_rate {
	const char *ns;
	uint32_t rate_hz;
};

/* The namespaces that have a gauge, so that it can be dropped. */
struct ns_gauges {
	char **ns;
	size_t nr;
};

static void set(struct agent *agent, const char *name, const char *help, double value)
{
	metric_set(metrics_gauge(agent->metrics, name, help, METRIC_NO_LABELS), value);
}

static void count(struct agent *agent, const char *name, const char *help, double value)
{
	metric_set(metrics_counter(agent->metrics, name, help, METRIC_NO_LABELS), value);
}

/* --- the rate of each namespace --- */

static int compare_ns(const void *a, const void *b)
{
	return strcmp(((const struct ns_rate *)a)->ns, ((const struct ns_rate *)b)->ns);
}

/* The highest rate of each namespace's containers, sorted; returns how many namespaces. */
static size_t rates_now(const struct agent *agent, struct ns_rate *rate)
{
	size_t nr = 0, unique = 0;

	for (size_t i = 0; i < agent->want->cgroup_nr; i++) {
		const struct want_cgroup *row = &agent->want->cgroup[i];
		const struct cgroup *cgroup = cgroups_find(agent->cgroups, row->id);

		if (cgroup && cgroup->container && cgroup->container->ns)
			rate[nr++] = (struct ns_rate){ cgroup->container->ns,
						       agent->want->cls[row->cls].rate_hz };
	}
	if (nr > 0)
		qsort(rate, nr, sizeof(*rate), compare_ns);
	for (size_t i = 0; i < nr; i++) {
		if (unique > 0 && strcmp(rate[unique - 1].ns, rate[i].ns) == 0)
			rate[unique - 1].rate_hz = MAX(rate[unique - 1].rate_hz, rate[i].rate_hz);
		else
			rate[unique++] = rate[i];
	}
	return unique;
}

static void drop_gauges(struct agent *agent)
{
	struct ns_gauges *gauges = agent->gauges;

	for (size_t i = 0; i < gauges->nr; i++) {
		metrics_drop(agent->metrics, RATE_NAME, METRIC_LABELS("namespace", gauges->ns[i]));
		free(gauges->ns[i]);
	}
	free(gauges->ns);
	*gauges = (struct ns_gauges){ 0 };
}

static void set_rates(struct agent *agent)
{
	struct ns_gauges *gauges = agent->gauges;
	cleanup(freep) struct ns_rate *rate = xcalloc(agent->want->cgroup_nr, sizeof(*rate));
	size_t nr = MIN(rates_now(agent, rate), NS_MAX);

	drop_gauges(agent);
	gauges->ns = xcalloc(nr, sizeof(*gauges->ns));
	for (size_t i = 0; i < nr; i++) {
		gauges->ns[gauges->nr++] = xstrdup(rate[i].ns);
		metric_set(metrics_gauge(agent->metrics, RATE_NAME,
					 "Samples per second of CPU now in force, the highest of "
					 "the namespace's "
					 "containers.",
					 METRIC_LABELS("namespace", rate[i].ns)),
			   rate[i].rate_hz);
	}
}

/* --- the rest --- */

static void set_cgroups(struct agent *agent)
{
	struct collect_stats stats;

	collect_stats(agent->collect, &stats);
	set(agent, "rubato_agent_cgroups", "Cgroups known, living and just dead.",
	    (double)cgroups_nr(agent->cgroups));
	set(agent, "rubato_agent_containers", "Containers known, living and just dead.",
	    (double)cgroups_container_nr(agent->cgroups));
	set(agent, "rubato_agent_containers_unattributed",
	    "Containers with samples that no plan has named yet.", (double)stats.unnamed);
	set(agent, "rubato_agent_containers_without_slot",
	    "Containers not sampled: --max-containers is too low.",
	    (double)cgroups_slots_missing(agent->cgroups));
	count(agent, "rubato_agent_cgroups_refused_total",
	      "Cgroups not kept: too many, or too long a path.",
	      (double)cgroups_refused(agent->cgroups));
	count(agent, "rubato_agent_cpu_seconds_total", "CPU time given to containers.",
	      (double)stats.cpu_ns / NSEC_PER_SEC);
	count(agent, "rubato_agent_cpu_unattributed_seconds_total",
	      "CPU time that containers had left over when they ended.",
	      (double)stats.unattributed_ns / NSEC_PER_SEC);
	count(agent, "rubato_agent_profiles_unknown_total",
	      "Profiles of containers that no plan named in time.", (double)stats.unknown_profiles);
}

static void set_lost(struct agent *agent, const char *reason, enum prof_stat stat)
{
	metric_set(metrics_counter(agent->metrics, "rubato_agent_samples_lost_total",
				   "Samples lost, by reason.", METRIC_LABELS("reason", reason)),
		   (double)sampler_stat(agent->sampler, stat));
}

static void set_sampler(struct agent *agent)
{
	struct sampler_cost cost;

	count(agent, "rubato_agent_ticks_total", "Ticks of busy CPUs.",
	      (double)sampler_stat(agent->sampler, PROF_STAT_TICKS));
	count(agent, "rubato_agent_samples_total", "Samples taken.",
	      (double)sampler_stat(agent->sampler, PROF_STAT_TAKEN));
	count(agent, "rubato_agent_samples_overflow_total",
	      "Samples that found their map full and went by the ring buffer; they are not lost.",
	      (double)sampler_stat(agent->sampler, PROF_STAT_OVERFLOW));
	count(agent, "rubato_agent_unknown_cgroup_ticks_total",
	      "Ticks of cgroups that were not registered yet.",
	      (double)sampler_stat(agent->sampler, PROF_STAT_UNKNOWN_CGROUP));
	count(agent, "rubato_agent_events_lost_total",
	      "Cgroup and process events lost; the rescan finds them.",
	      (double)sampler_stat(agent->sampler, PROF_STAT_LOST_EVENT));
	set_lost(agent, "ring_full", PROF_STAT_LOST_RING);
	set_lost(agent, "no_state", PROF_STAT_NO_STATE);
	set(agent, "rubato_agent_map_bytes", "Kernel memory of our BPF maps.",
	    (double)sampler_map_bytes(agent->sampler));
	if (sampler_cost(agent->sampler, &cost) < 0)
		return;
	count(agent, "rubato_agent_bpf_run_seconds_total",
	      "Time in the tick program; counts only while kernel.bpf_stats_enabled is 1.",
	      (double)cost.run_ns / NSEC_PER_SEC);
	count(agent, "rubato_agent_bpf_runs_total", "Runs of the tick program, counted likewise.",
	      (double)cost.runs);
}

static void set_stacks(struct agent *agent)
{
	static const char *const end[PROF_END_NR] = { [PROF_END_NONE] = "none",
						      [PROF_END_COMPLETE] = "complete",
						      [PROF_END_TRUNCATED] = "truncated",
						      [PROF_END_EFAULT] = "efault",
						      [PROF_END_BROKEN] = "broken" };

	for (size_t i = 0; i < PROF_END_NR; i++)
		metric_set(metrics_counter(agent->metrics, "rubato_agent_stacks_total",
					   "Samples by how their user stack ended.",
					   METRIC_LABELS("end", end[i] ? end[i] : "other")),
			   (double)agent->ended[i]);
}

static void set_symbolizer(struct agent *agent)
{
	struct symbolizer_stats stats;

	symbolizer_stats(agent->symbolizer, &stats);
	count(agent, "rubato_agent_frames_resolved_total",
	      "Frames of written profiles that have a name.", (double)stats.frames_resolved);
	count(agent, "rubato_agent_frames_unresolved_total",
	      "Frames of written profiles with an address for a name, or none.",
	      (double)stats.frames_unresolved);
	count(agent, "rubato_agent_processes_missed_total",
	      "Processes gone before their mappings were read, and not known otherwise.",
	      (double)stats.processes_missed);
	count(agent, "rubato_agent_processes_adopted_total",
	      "Processes gone likewise, whose mappings the kernel had told.",
	      (double)stats.processes_adopted);
	count(agent, "rubato_agent_process_records_lost_total",
	      "The kernel's records of processes for which a ring had no room.",
	      (double)sideband_lost(agent->sideband));
	set(agent, "rubato_agent_process_ring_bytes", "Kernel memory of those rings.",
	    (double)sideband_bytes(agent->sideband));
	count(agent, "rubato_agent_files_refused_total", "Mapped files that are no ELF we read.",
	      (double)stats.files_refused);
	set(agent, "rubato_agent_processes", "Processes whose mappings are kept.",
	    (double)stats.processes);
	set(agent, "rubato_agent_files", "Mapped files that are kept.", (double)stats.files);
}

static void set_plan(struct agent *agent)
{
	size_t active = 0;
	int64_t now_ns = now_boot_ns();

	for (size_t i = 0; agent->plan && i < agent->plan->boost_nr; i++)
		active += agent->plan->boost[i].expires_ns > now_ns;
	set(agent, "rubato_agent_boosts_active", "Boosts of the plan that have not ended.",
	    (double)active);
}

static void on_scrape(void *ctx)
{
	struct agent *agent = ctx;

	if (!agent->sampling)
		return;
	set_rates(agent);
	set(agent, "rubato_agent_base_frequency_hertz", "Ticks per second of each CPU.",
	    agent->want->base_hz);
	set_cgroups(agent);
	set_sampler(agent);
	set_stacks(agent);
	set_symbolizer(agent);
	agent_sinks_metrics(agent);
	set_plan(agent);
}

void agent_metrics_init(struct agent *agent)
{
	struct metrics *m = agent->metrics;
	struct counters *c = &agent->count;

	c->rate_changes = metrics_counter(m, "rubato_agent_rate_changes_total",
					  "Changes of a container's rate.", METRIC_NO_LABELS);
	c->profiles = metrics_counter(m, "rubato_agent_profiles_written_total",
				      "Profiles handed to the sink.", METRIC_NO_LABELS);
	c->profile_bytes = metrics_counter(m, "rubato_agent_profile_bytes_total", "Their bytes.",
					   METRIC_NO_LABELS);
	c->drain_failed =
		metrics_counter(m, "rubato_agent_drains_failed_total",
				"Windows whose maps could not be read.", METRIC_NO_LABELS);
	c->apply_failed = metrics_counter(m, "rubato_agent_applies_failed_total",
					  "Times the kernel's maps could not be made as wanted.",
					  METRIC_NO_LABELS);
	c->rescans = metrics_counter(m, "rubato_agent_cgroup_scans_total",
				     "Scans of the whole cgroup tree.", METRIC_NO_LABELS);
	c->plan_applied =
		metrics_gauge(m, "rubato_agent_plan_applied_timestamp_seconds",
			      "When the plan in force was last applied and verified; 0 = never.",
			      METRIC_NO_LABELS);
	agent->gauges = xcalloc(1, sizeof(*agent->gauges));
	metrics_on_scrape(m, on_scrape, agent);
}

void agent_metrics_release(struct agent *agent)
{
	if (!agent->gauges)
		return;
	drop_gauges(agent);
	free(agent->gauges);
	agent->gauges = NULL;
}
