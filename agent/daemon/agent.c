/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/daemon/agent_priv.h"

#include "agent/kernel/cgroup_scan.h"
#include "agent/process/procs.h"
#include "lib/core/limits.h"
#include "lib/core/plan/caps.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#include <assert.h>
#include <errno.h>

#define RING_BATCH 1024 /* records handled in one turn of the loop */
#define RESCAN_MS 60000
#define RESCAN_MIN_NS NSEC_PER_SEC /* for the sake of one unknown cgroup */
#define SWEEP_MS 5000

/* --- what the kernel tells --- */

static void on_cgroup_made(void *ctx, uint64_t id, const char *path)
{
	struct agent *agent = ctx;

	if (cgroups_add(agent->cgroups, id, path))
		agent->stale = true;
}

/* Its row does no harm until the next refresh: nothing runs there any more. */
static void on_cgroup_gone(void *ctx, uint64_t id, const char *path)
{
	struct agent *agent = ctx;

	(void)path;
	cgroups_gone(agent->cgroups, id, now_boot_ns());
}

static void on_process_seen(void *ctx, uint32_t tgid, uint64_t image, uint64_t cgroup)
{
	struct agent *agent = ctx;

	const struct proc_id id = { tgid, image, cgroup };

	sideband_drain(agent->sideband);
	symbolizer_process_seen(agent->symbolizer, &id);
}

static void on_ring(uv_poll_t *poll, int status, int events)
{
	struct agent *agent = poll->data;

	(void)events;
	if (status < 0)
		return;
	(void)sampler_poll(agent->sampler, RING_BATCH);
	if (agent->stale)
		agent_refresh_soon(agent);
}

static void on_side_event(void *ctx, const struct sideband_event *event)
{
	struct agent *agent = ctx;

	symbolizer_side_event(agent->symbolizer, event);
}

static void on_side(uv_poll_t *poll, int status, int events)
{
	struct agent *agent = poll->data;

	(void)status;
	(void)events;
	sideband_drain(agent->sideband);
}

/* Without it, processes that are gone before they are looked at have no names: that is all. */
static void open_sideband(struct agent *agent)
{
	struct err err = ERR_INIT;

	if (sideband_new(on_side_event, agent, &agent->sideband, &err) < 0) {
		log_warn("short-lived processes will bear no names", LOG_ERR(&err));
		return;
	}
	uv_poll_init(agent->loop, &agent->side, sideband_fd(agent->sideband));
	agent->side.data = agent;
	uv_poll_start(&agent->side, UV_READABLE, on_side);
}

/* --- what the scan tells --- */

/* What lies below a container is its own, whoever made it and however much. */
static bool on_seen(void *ctx, uint64_t id, const char *path)
{
	struct agent *agent = ctx;

	GROW(agent->seen, agent->seen_nr);
	agent->seen[agent->seen_nr++] = id;
	if (cgroups_add(agent->cgroups, id, path))
		agent->stale = true;
	return !cgroup_is_whole(cgroups_find(agent->cgroups, id));
}

static int compare_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int scan(struct agent *agent, struct err *err)
{
	int r = cgroup_scan(&agent->mount, on_seen, agent, err);

	agent->scanned_ns = now_boot_ns();
	if (r > 0) {
		qsort(agent->seen, agent->seen_nr, sizeof(*agent->seen), compare_id);
		cgroups_keep_only(agent->cgroups, agent->seen, agent->seen_nr, agent->scanned_ns);
	}
	free(TAKE_PTR(agent->seen));
	agent->seen_nr = 0;
	metric_add(agent->count.rescans, 1);
	return MIN(r, 0);
}

void agent_rescan(struct agent *agent)
{
	struct err err = ERR_INIT;

	if (scan(agent, &err) < 0)
		log_warn("the cgroup tree could not be scanned, retrying in a minute",
			 LOG_ERR(&err));
}

static void on_rescan(uv_timer_t *timer)
{
	struct agent *agent = timer->data;

	agent_rescan(agent);
	if (agent->stale)
		agent_refresh_soon(agent);
}

static void on_unknown(void *ctx, uint64_t cgroup)
{
	struct agent *agent = ctx;

	(void)cgroup;
	if (now_boot_ns() - agent->scanned_ns > RESCAN_MIN_NS)
		agent_rescan(agent);
}

/* --- what time brings --- */

static void on_freed(void *ctx, const struct container *container)
{
	struct agent *agent = ctx;

	collect_forget(agent->collect, container);
	if (container->slot)
		sampler_slot_reset(agent->sampler, container->slot);
}

static void report_losses(struct agent *agent)
{
	uint64_t samples = sampler_stat(agent->sampler, PROF_STAT_LOST_RING);
	uint64_t events = sampler_stat(agent->sampler, PROF_STAT_LOST_EVENT);

	if (samples + events == agent->lost_reported)
		return;
	agent->lost_reported = samples + events;
	log_warn("the kernel's buffers were full", LOG_UINT("lost_samples_total", samples),
		 LOG_UINT("lost_events_total", events));
	if (now_boot_ns() - agent->scanned_ns > RESCAN_MIN_NS)
		agent_rescan(agent);
}

static void on_sweep(uv_timer_t *timer)
{
	struct agent *agent = timer->data;
	struct err err = ERR_INIT;

	/* Rows of the dead go before their slots are given away. */
	if (agent_refresh(agent, &err) < 0)
		log_error("the rows in the kernel are not as wanted, retrying in 5s",
			  LOG_ERR(&err));
	if (cgroups_reap(agent->cgroups, now_boot_ns(), on_freed, agent))
		agent->stale = true;
	if (sampler_check_cpus(agent->sampler, &err) < 0)
		log_error("a CPU is not sampled, retrying in 5s", LOG_ERR(&err));
	report_losses(agent);
	if (agent->stale)
		agent_refresh_soon(agent);
}

/* --- the control channel --- */

static void on_state(void *ctx, bool connected, const char *node, const char *why)
{
	(void)ctx;
	if (connected)
		log_info("connected", LOG_STR("node", node));
	else
		log_warn("not connected, going on with the last good plan", LOG_STR("why", why));
}

static int connect_client(struct agent *agent, struct err *err)
{
	const struct settings *s = agent->settings;
	const struct control_client_options options = {
		.controller = s->controller,
		.server_name = s->tls_server_name,
		.cert_file = s->tls_cert,
		.key_file = s->tls_key,
		.ca_file = s->tls_ca,
		.token_file = s->token_file,
		.state_dir = s->state_dir,
		.max_rate_hz = s->max_sample_rate_hz,
		.metrics = agent->metrics,
	};
	const struct control_client_events events = { .apply = agent_apply_plan,
						      .state = on_state };

	if (!s->controller)
		return 0;
	return control_client_new(agent->loop, &options, &events, agent, &agent->client, err);
}

/* --- life --- */

static int open_sampler(struct agent *agent, struct err *err)
{
	const struct sampler_options options = { .v1 = agent->mount.v1,
						 .slots = agent->settings->max_containers + 1,
						 .cgroups = agent->ceiling.cgroups };
	const struct sampler_events events = { .cgroup_made = on_cgroup_made,
					       .cgroup_gone = on_cgroup_gone,
					       .process_seen = on_process_seen,
					       .sample = agent_on_sample };
	int r = sampler_new(&options, &events, agent, &agent->sampler, err);

	/* sampler_start() is part of the first refresh. */
	return r < 0 ? r : agent_refresh(agent, err);
}

static void on_clock(void *ctx, uint32_t slot, uint64_t *ret_seen_ns, uint64_t *ret_taken_ns)
{
	struct agent *agent = ctx;

	sampler_slot_clock(agent->sampler, slot, ret_seen_ns, ret_taken_ns);
}

static void on_add(void *ctx, struct profile *profile, const struct sample *sample)
{
	struct agent *agent = ctx;

	symbolizer_add(agent->symbolizer, profile, sample);
}

static void make_parts(struct agent *agent)
{
	static const struct collect_events events = {
		.unknown = on_unknown, .add = on_add, .clock = on_clock, .done = agent_on_done
	};
	const struct symbolizer_options options = { .proc = NULL };
	int64_t hold_ns = agent->settings->controller ? COLLECT_HOLD_NS : 0;

	agent->ceiling = (struct ceiling){ .max_rate_hz = agent->settings->max_sample_rate_hz,
					   .caps = CAPS_ALL,
					   .cgroups = MAX(4 * (agent->settings->max_containers + 1),
							  PROF_CGROUPS) };
	agent->cgroups = cgroups_new(agent->settings->max_containers + 1);
	agent->collect = collect_new(agent->cgroups, &events, agent, hold_ns, now_boot_ns());
	agent->symbolizer = symbolizer_new(&options);
	agent->wall.offset_ns = now_wall_ns() - now_boot_ns();
	agent_metrics_init(agent);
}

static void start_timers(struct agent *agent)
{
	agent->rescan.data = agent;
	agent->sweep.data = agent;
	uv_timer_start(&agent->rescan, on_rescan, 0, RESCAN_MS);
	uv_timer_start(&agent->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	uv_poll_init(agent->loop, &agent->ring, sampler_fd(agent->sampler));
	agent->ring.data = agent;
	uv_poll_start(&agent->ring, UV_READABLE, on_ring);
}

static int start(struct agent *agent, struct err *err)
{
	int r = cgroup_mount_find(agent->settings->cgroup_root, &agent->mount, err);

	if (r == 0)
		r = agent_sinks_open(agent, err);
	if (r == 0)
		r = scan(agent, err);
	if (r == 0)
		r = open_sampler(agent, err);
	return r;
}

int agent_new(uv_loop_t *loop, const struct settings *settings, struct metrics *metrics,
	      struct agent **ret_agent, struct err *err)
{
	struct agent *agent = xcalloc(1, sizeof(*agent));
	int r;

	agent->loop = loop;
	agent->settings = settings;
	agent->metrics = metrics;
	make_parts(agent);
	agent_apply_init(agent);
	agent_window_start(agent);
	uv_timer_init(loop, &agent->rescan);
	uv_timer_init(loop, &agent->sweep);
	r = start(agent, err);
	if (r == 0) {
		start_timers(agent);
		open_sideband(agent);
		r = connect_client(agent, err);
	}
	if (r < 0) {
		agent_stop(agent);
		(void)uv_run(loop, UV_RUN_DEFAULT);
		agent_free(agent);
		return r;
	}
	log_info("sampling", LOG_STR("cgroups", agent->mount.path),
		 LOG_BOOL("cgroup_v1", agent->mount.v1), LOG_UINT("base_hz", agent->want->base_hz),
		 LOG_UINT("containers", cgroups_container_nr(agent->cgroups)));
	*ret_agent = agent;
	return 0;
}

static void close_handle(uv_handle_t *handle)
{
	if (handle->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle))
		uv_close(handle, NULL);
}

void agent_stop(struct agent *agent)
{
	if (agent->stopping)
		return;
	agent->stopping = true;
	if (agent->sampling)
		agent_window_finish(agent);
	close_handle((uv_handle_t *)&agent->ring);
	close_handle((uv_handle_t *)&agent->side);
	close_handle((uv_handle_t *)&agent->refresh);
	close_handle((uv_handle_t *)&agent->cycle);
	close_handle((uv_handle_t *)&agent->window);
	close_handle((uv_handle_t *)&agent->names);
	close_handle((uv_handle_t *)&agent->rescan);
	close_handle((uv_handle_t *)&agent->sweep);
	if (agent->client)
		control_client_close(agent->client, NULL, NULL);
	agent_sinks_stop(agent);
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	agent_metrics_release(agent);
	control_client_free(agent->client);
	sampler_free(agent->sampler);
	sideband_free(agent->sideband);
	collect_free(agent->collect);
	symbolizer_free(agent->symbolizer);
	agent_sinks_free(agent);
	cgroups_free(agent->cgroups);
	cgroup_mount_release(&agent->mount);
	if (agent->want)
		want_release(agent->want);
	free(agent->want);
	free(agent);
}

int agent_ready(void *ctx, struct err *err)
{
	const struct agent *agent = ctx;

	if (agent->stopping || !agent->sampling)
		return err_set(err, -EAGAIN, "not sampling");
	if (agent->settings->controller && !agent->plan)
		return err_set(err, -EAGAIN, "no plan yet from %s", agent->settings->controller);
	return 0;
}
