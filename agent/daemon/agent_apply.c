/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/daemon/agent_priv.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define REFRESH_PAUSE_NS (5 * NSEC_PER_MSEC) /* a storm of new cgroups is resolved this often */
#define WATCH_NS NSEC_PER_SEC /* how long a first sample at a new rate is waited for */

struct change { /* the rate of a namespace's containers */
	const char *ns;
	uint32_t from_hz, to_hz;
	size_t containers;
};

struct changes {
	struct change change[AGENT_CHANGES_MAX];
	size_t nr;
	size_t containers; /* all, also those of namespaces that did not fit */
};

static void note_change(struct changes *changes, const struct container *container,
			uint32_t from_hz, uint32_t to_hz)
{
	const char *ns = container->ns ? container->ns : "_unknown";
	struct change *change = changes->change;

	changes->containers++;
	for (; change < changes->change + changes->nr; change++)
		if (change->from_hz == from_hz && change->to_hz == to_hz &&
		    strcmp(change->ns, ns) == 0)
			break;
	if (change == changes->change + AGENT_CHANGES_MAX)
		return;
	if (change == changes->change + changes->nr)
		changes->change[changes->nr++] = (struct change){ ns, from_hz, to_hz, 0 };
	change->containers++;
}

/* Tell the collector each container's rate as it is now; it cuts where that is another. */
static void collect_rates(struct agent *agent, int64_t now_ns, struct changes *changes)
{
	for (size_t i = 0; i < agent->want->cgroup_nr; i++) {
		const struct want_cgroup *row = &agent->want->cgroup[i];
		const struct cgroup *cgroup = cgroups_find(agent->cgroups, row->id);
		uint32_t rate_hz = agent->want->cls[row->cls].rate_hz;
		uint32_t before;

		if (!cgroup || !cgroup->container)
			continue;
		before = collect_rate(agent->collect, cgroup->container, rate_hz, now_ns);
		if (before != rate_hz)
			note_change(changes, cgroup->container, before, rate_hz);
	}
}

static void watch_add(struct agent *agent, const struct change *change, int64_t now_ns)
{
	struct watch *watch = agent->watch;

	while (watch < agent->watch + agent->watch_nr && strcmp(watch->ns, change->ns) != 0)
		watch++;
	if (watch == agent->watch + AGENT_WATCHES)
		return;
	agent->watch_nr = MAX(agent->watch_nr, (size_t)(watch - agent->watch) + 1);
	snprintf(watch->ns, sizeof(watch->ns), "%s", change->ns);
	watch->rate_hz = change->to_hz;
	watch->applied_ns = now_ns;
}

static void tell_changes(struct agent *agent, const struct changes *changes, int64_t took_ns,
			 int64_t now_ns)
{
	metric_add(agent->count.rate_changes, (double)changes->containers);
	for (size_t i = 0; i < changes->nr; i++) {
		const struct change *change = &changes->change[i];

		log_info("rate changed", LOG_STR("namespace", change->ns),
			 LOG_UINT("from_hz", change->from_hz), LOG_UINT("to_hz", change->to_hz),
			 LOG_UINT("containers", change->containers),
			 LOG_INT("apply_us", took_ns / 1000));
		if (change->to_hz > 0)
			watch_add(agent, change, now_ns);
	}
	agent->fast_until_ns = now_ns + WATCH_NS;
	agent_cycle(agent);
}

static void want_free(struct want *want)
{
	if (!want)
		return;
	want_release(want);
	free(want);
}

/* Containers come and go; it is said again when what has no room is another. */
static void tell_missing(struct agent *agent)
{
	struct control_missing missing;

	if (!agent->client)
		return;
	resolve_missing(agent->want, agent->cgroups, &missing);
	if (missing.cgroups && !agent->missing_told)
		log_warn("not all containers have room: raise --max-containers",
			 LOG_UINT("cgroups", missing.cgroups));
	agent->missing_told = missing.cgroups > 0;
	control_client_missing(agent->client, &missing);
}

int agent_refresh(struct agent *agent, struct err *err)
{
	struct want *want = xmalloc(sizeof(*want));
	struct changes changes = { .nr = 0 };
	int64_t begin_ns = now_boot_ns();
	int64_t now_ns;
	int r;

	agent->stale = false;
	agent->refreshed_ns = begin_ns;
	resolve(agent->plan, agent->cgroups, &agent->ceiling, agent->want, begin_ns, want);
	r = agent->sampling ? sampler_apply(agent->sampler, want, err)
			    : sampler_start(agent->sampler, want, err);
	if (r < 0) {
		metric_add(agent->count.apply_failed, 1);
		want_free(want);
		return r;
	}
	agent->sampling = true;
	want_free(agent->want);
	agent->want = want;
	tell_missing(agent);
	now_ns = now_boot_ns();
	collect_rates(agent, now_ns, &changes);
	if (changes.containers > 0)
		tell_changes(agent, &changes, now_ns - begin_ns, now_ns);
	return 0;
}

static void on_refresh(uv_timer_t *timer)
{
	struct agent *agent = timer->data;
	struct err err = ERR_INIT;

	if (agent->stale && agent_refresh(agent, &err) < 0)
		log_error("cgroups are not applied, retrying with the next change", LOG_ERR(&err));
}

void agent_apply_init(struct agent *agent)
{
	uv_timer_init(agent->loop, &agent->refresh);
	agent->refresh.data = agent;
}

void agent_refresh_soon(struct agent *agent)
{
	int64_t pause_ns = agent->refreshed_ns + REFRESH_PAUSE_NS - now_boot_ns();

	agent->stale = true;
	if (pause_ns <= 0)
		on_refresh(&agent->refresh);
	else if (!uv_is_active((uv_handle_t *)&agent->refresh))
		uv_timer_start(&agent->refresh, on_refresh,
			       (uint64_t)(pause_ns / NSEC_PER_MSEC) + 1, 0);
}

static bool is_clamped(const struct want *want)
{
	for (size_t row = 0; row < want->cls_nr; row++)
		if (want->cls[row].used && want->cls[row].clamped)
			return true;
	return false;
}

int agent_apply_plan(void *ctx, const struct plan *plan, struct control_client_result *result,
		     struct err *err)
{
	struct agent *agent = ctx;
	const struct plan *before = agent->plan;
	double changed = metric_get(agent->count.rate_changes);
	int64_t begin_ns = now_boot_ns();
	int r;

	agent->plan = plan;
	cgroups_bind(agent->cgroups, plan);
	r = agent_refresh(agent, err);
	if (r < 0) {
		agent->plan = before;
		cgroups_bind(agent->cgroups, before);
		return r;
	}
	result->clamped = is_clamped(agent->want);
	resolve_missing(agent->want, agent->cgroups, &result->missing);
	metric_set(agent->count.plan_applied, (double)now_wall_ns() / NSEC_PER_SEC);
	if (plan != before)
		log_info("plan applied", LOG_UINT("classes", plan->cls_nr),
			 LOG_UINT("targets", plan->target_nr), LOG_UINT("boosts", plan->boost_nr),
			 LOG_BOOL("clamped", result->clamped),
			 LOG_UINT("base_hz", agent->want->base_hz),
			 LOG_INT("took_us", (now_boot_ns() - begin_ns) / 1000));
	else if (metric_get(agent->count.rate_changes) > changed)
		log_info("a boost ended, its rates are restored");
	return 0;
}
