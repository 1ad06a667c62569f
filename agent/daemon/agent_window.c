/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/daemon/agent_priv.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define GRACE_MS (SAMPLER_GRACE_NS / NSEC_PER_MSEC + 1) /* the loop's clock is in whole ms */
#define FAST_PAUSE_MS 4					/* between a drain and the next swap */
#define NAMES_PAUSE_MS 6 /* between slices of reading the kernel's symbols */
#define WALL_SLACK_NS (50 * NSEC_PER_MSEC)
#define WALL_TRUST_NS (30 * NSEC_PER_SEC)

static void on_cycle(uv_timer_t *timer);

static void swap(struct agent *agent)
{
	sampler_swap(agent->sampler);
	agent->swapped_ns = now_boot_ns();
	agent->draining = true;
	agent->ends_window = agent->window_due;
	agent->window_due = false;
	uv_update_time(agent->loop);
	uv_timer_start(&agent->cycle, on_cycle, GRACE_MS, 0);
}

static void drain(struct agent *agent)
{
	struct err err = ERR_INIT;

	agent->draining = false;
	if (sampler_drain(agent->sampler, &err) < 0) {
		metric_add(agent->count.drain_failed, 1);
		log_error("samples of a window are lost: maps could not be read", LOG_ERR(&err));
	}
	if (agent->ends_window)
		collect_window(agent->collect, agent->swapped_ns, false);
	if (agent->stale)
		agent_refresh_soon(agent);
}

static void on_cycle(uv_timer_t *timer)
{
	struct agent *agent = timer->data;

	if (!agent->draining) {
		swap(agent);
		return;
	}
	drain(agent);
	if (now_boot_ns() > agent->fast_until_ns)
		agent->watch_nr = 0;
	if (agent->draining)
		return;
	if (agent->window_due)
		swap(agent);
	else if (agent->watch_nr > 0)
		uv_timer_start(&agent->cycle, on_cycle, FAST_PAUSE_MS, 0);
}

void agent_cycle(struct agent *agent)
{
	if (!agent->draining && !agent->stopping)
		swap(agent);
}

static void on_names(uv_timer_t *timer)
{
	struct agent *agent = timer->data;

	if (!symbolizer_step(agent->symbolizer))
		uv_timer_stop(timer);
}

static void read_names(struct agent *agent)
{
	if (symbolizer_reading(agent->symbolizer) && !uv_is_active((uv_handle_t *)&agent->names))
		uv_timer_start(&agent->names, on_names, NAMES_PAUSE_MS, NAMES_PAUSE_MS);
}

static void on_window(uv_timer_t *timer)
{
	struct agent *agent = timer->data;

	symbolizer_check(agent->symbolizer);
	read_names(agent);
	/* A window lasts longer rather than that the loop stands still. */
	if (symbolizer_reading(agent->symbolizer)) {
		uv_timer_start(timer, on_window, NAMES_PAUSE_MS, uv_timer_get_repeat(timer));
		return;
	}
	agent->window_due = true;
	agent_cycle(agent);
}

void agent_window_start(struct agent *agent)
{
	uint64_t window_ms = (uint64_t)(agent->settings->window_ns / NSEC_PER_MSEC);

	uv_timer_init(agent->loop, &agent->cycle);
	uv_timer_init(agent->loop, &agent->window);
	agent->cycle.data = agent;
	agent->window.data = agent;
	uv_timer_start(&agent->window, on_window, window_ms, window_ms);
	uv_timer_init(agent->loop, &agent->names);
	agent->names.data = agent;
	read_names(agent);
}

/* Twice: what a program that was running wrote after the first swap is in the second set. */
void agent_window_finish(struct agent *agent)
{
	const struct timespec grace = { .tv_nsec = SAMPLER_GRACE_NS };
	int64_t end_ns = now_boot_ns();

	for (int i = 0; i < 2; i++) {
		if (!agent->draining)
			sampler_swap(agent->sampler);
		nanosleep(&grace, NULL);
		agent->ends_window = false;
		drain(agent);
	}
	collect_window(agent->collect, end_ns, true);
}

/* --- the first sample at a new rate --- */

static void seen_first(struct agent *agent, const struct watch *watch)
{
	int64_t wall_ns = now_wall_ns();
	char rate[16];

	snprintf(rate, sizeof(rate), "%u", watch->rate_hz);
	/* Drained at the latest now: an upper bound of the sample's own time. */
	metric_set(metrics_gauge(agent->metrics, "rubato_agent_first_sample_timestamp_seconds",
				 "When the first sample at the rate last set was read.",
				 METRIC_LABELS("namespace", watch->ns, "rate_hz", rate)),
		   (double)wall_ns / NSEC_PER_SEC);
	log_info("first sample at new rate", LOG_STR("namespace", watch->ns),
		 LOG_UINT("rate_hz", watch->rate_hz),
		 LOG_REAL("ms_since_apply",
			  (double)(now_boot_ns() - watch->applied_ns) / (double)NSEC_PER_MSEC),
		 LOG_INT("wall_ns", wall_ns));
}

static void check_watches(struct agent *agent, const struct sample *sample)
{
	const struct cgroup *cgroup = cgroups_find(agent->cgroups, sample->cgroup);
	const char *ns = cgroup && cgroup->container ? cgroup->container->ns : NULL;

	for (size_t i = 0; ns && i < agent->watch_nr; i++) {
		struct watch *watch = &agent->watch[i];

		if (watch->rate_hz != sample->rate_hz || strcmp(watch->ns, ns) != 0)
			continue;
		seen_first(agent, watch);
		*watch = agent->watch[--agent->watch_nr];
		return;
	}
}

void agent_on_sample(void *ctx, const struct sample *sample)
{
	struct agent *agent = ctx;

	if (agent->watch_nr > 0)
		check_watches(agent, sample);
	if (sample->end < PROF_END_NR)
		agent->ended[sample->end] += sample->samples;
	collect_sample(agent->collect, sample);
}

/* --- finished profiles --- */

static int64_t to_wall(const struct agent *agent, int64_t boot_ns)
{
	return boot_ns + agent->wall.offset_ns;
}

/* A clock that is slewed does not make profiles overlap, and one that jumps and comes back does not
 * scatter them: another offset is believed when it has held for a while. */
static void check_wall(struct agent *agent)
{
	struct wall *wall = &agent->wall;
	int64_t now_ns = now_boot_ns();
	int64_t offset_ns = now_wall_ns() - now_ns;

	if (llabs(offset_ns - wall->next_ns) > WALL_SLACK_NS) {
		wall->next_ns = offset_ns;
		wall->since_ns = now_ns;
	}
	if (llabs(offset_ns - wall->offset_ns) > WALL_SLACK_NS &&
	    now_ns - wall->since_ns > WALL_TRUST_NS)
		wall->offset_ns = offset_ns;
}

static int write_profile(struct agent *agent, const struct collect_done *done, struct err *err)
{
	struct profile_meta meta = done->meta;

	meta.start_ns = to_wall(agent, meta.start_ns);
	meta.node = agent->client ? control_client_node(agent->client) : "";
	return agent_sinks_write(agent, done->profile, &meta, err);
}

static void write_all(struct agent *agent, const struct collect_done *done, size_t nr)
{
	struct profile **profile = xcalloc(nr, sizeof(*profile));
	struct err err = ERR_INIT;
	size_t failed = 0;

	sideband_drain(agent->sideband);
	for (size_t i = 0; i < nr; i++)
		profile[i] = done[i].profile;
	symbolizer_resolve(agent->symbolizer, profile, nr);
	for (size_t i = 0; i < nr; i++)
		failed += write_profile(agent, &done[i], &err) < 0;
	if (failed > 0)
		log_error("profiles are lost: they could not be written",
			  LOG_UINT("profiles", failed), LOG_ERR(&err));
	free(profile);
}

void agent_on_done(void *ctx, const struct collect_done *done, size_t nr)
{
	struct agent *agent = ctx;

	check_wall(agent);
	if (agent_sinks_any(agent))
		write_all(agent, done, nr);
	symbolizer_tick(agent->symbolizer);
	if (!agent->stopping)
		read_names(agent);
	/* What encoding took goes back to the node: it is not needed until the next window. */
	malloc_trim(0);
}
