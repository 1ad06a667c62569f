/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/daemon/agent_priv.h"

#include "agent/core/push/push_labels.h"
#include "agent/core/push/push_record.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#define LINGER_PART 4 /* of a window, at most, that profiles wait for the sake of other nodes' */

/* --- life --- */

static int open_file(struct agent *agent, struct err *err)
{
	const struct sink_file_options options = {
		.dir = agent->settings->sink_file,
		.max_bytes = (int64_t)agent->settings->sink_max_mb << 20,
	};

	return options.dir ? sink_file_new(&options, &agent->sink, err) : 0;
}

static int open_push(struct agent *agent, enum push_backend backend, struct err *err)
{
	const struct settings *settings = agent->settings;
	const struct settings_push *push = &settings->push[backend];
	const struct sink_push_options options = {
		.name = settings_push_name(backend),
		.target = settings_push_target(push, backend),
		.queue = {
			.memory_max = (size_t)settings->push_queue_mb << 20,
			.spool_max = (size_t)settings->push_spool_mb << 20,
			.max_age_ns = push->max_age_ns,
			.tenants = { .template = push->tenant,
				     .pair = (const char *const *)push->tenant_map.item,
				     .pair_nr = push->tenant_map.nr },
		},
		.spool_dir = settings->push_spool,
		.linger_ns = settings->window_ns / LINGER_PART,
		.metrics = agent->metrics,
	};
	int r;

	if (!push->url)
		return 0;
	r = sink_push_new(agent->loop, &options, &agent->push[backend], err);
	return r < 0 ? err_wrap(err, r, "--sink-%s", options.name) : 0;
}

int agent_sinks_open(struct agent *agent, struct err *err)
{
	const struct settings *settings = agent->settings;
	int r = open_file(agent, err);

	agent->labeler = push_labeler_new((const char *const *)settings->push_label.item,
					  settings->push_label.nr, settings->push_label_values);
	for (int i = 0; r == 0 && i < PUSH_BACKEND_NR; i++)
		r = open_push(agent, (enum push_backend)i, err);
	return r;
}

void agent_sinks_stop(struct agent *agent)
{
	for (int i = 0; i < PUSH_BACKEND_NR; i++)
		sink_push_stop(agent->push[i]);
}

void agent_sinks_free(struct agent *agent)
{
	sink_file_free(agent->sink);
	for (int i = 0; i < PUSH_BACKEND_NR; i++)
		sink_push_free(agent->push[i]);
	push_labeler_free(agent->labeler);
}

/* --- profiles --- */

static bool pushes(const struct agent *agent)
{
	return agent->push[PUSH_BACKEND_PYROSCOPE] || agent->push[PUSH_BACKEND_PARCA];
}

bool agent_sinks_any(const struct agent *agent)
{
	return agent->sink || pushes(agent);
}

static void count(struct agent *agent, size_t len)
{
	metric_add(agent->count.profiles, 1);
	metric_add(agent->count.profile_bytes, (double)len);
}

static int write_file(struct agent *agent, const struct profile *profile,
		      const struct profile_meta *meta, struct err *err)
{
	cleanup(freep) uint8_t *data = NULL;
	size_t len;
	int r = symbolizer_encode(agent->symbolizer, profile, meta, &data, &len, err);

	if (r == 0)
		r = sink_file_write(agent->sink, meta, data, len, err);
	if (r == 0)
		count(agent, len);
	return r;
}

/* Backends make a series of each set of labels that samples bear: there it is the request that bears them. */
static int push(struct agent *agent, const struct profile *profile,
		const struct profile_meta *labelled, struct err *err)
{
	struct profile_meta meta = *labelled;
	cleanup(push_labels_release) struct push_labels labels = { .nr = 0 };
	cleanup(freep) uint8_t *data = NULL;
	cleanup(freep) uint8_t *record = NULL;
	const char *ns = meta.ns ? meta.ns : "";
	size_t len;
	int r;

	meta.bare = true;
	r = symbolizer_encode(agent->symbolizer, profile, &meta, &data, &len, err);
	if (r < 0)
		return r;
	push_labels_make(agent->labeler, &meta, now_boot_ns(), &labels);
	record = push_record_pack(ns, meta.start_ns, &labels, data, len, &len);
	for (int i = 0; i < PUSH_BACKEND_NR; i++)
		if (agent->push[i])
			sink_push_add(agent->push[i], ns, meta.start_ns, record, len);
	if (!agent->sink)
		count(agent, len);
	return 0;
}

/* A sink that fails takes nothing from another. */
int agent_sinks_write(struct agent *agent, const struct profile *profile,
		      const struct profile_meta *meta, struct err *err)
{
	int to_file = agent->sink ? write_file(agent, profile, meta, err) : 0;
	int to_push = pushes(agent) ? push(agent, profile, meta, err) : 0;

	return to_file < 0 ? to_file : to_push;
}

/* --- metrics --- */

static void gauge(struct agent *agent, const char *name, const char *help, double value)
{
	metric_set(metrics_gauge(agent->metrics, name, help, METRIC_NO_LABELS), value);
}

static void counter(struct agent *agent, const char *name, const char *help, uint64_t value)
{
	metric_set(metrics_counter(agent->metrics, name, help, METRIC_NO_LABELS), (double)value);
}

static void file_metrics(struct agent *agent)
{
	struct sink_file_stats stats;

	sink_file_stats(agent->sink, &stats);
	counter(agent, "rubato_agent_sink_file_failed_total", "Profiles that could not be written.",
		stats.failed);
	counter(agent, "rubato_agent_sink_file_deleted_total", "Profiles deleted for want of room.",
		stats.deleted);
	gauge(agent, "rubato_agent_sink_file_bytes", "Bytes of all profiles kept.",
	      (double)stats.bytes);
}

void agent_sinks_metrics(struct agent *agent)
{
	if (agent->sink)
		file_metrics(agent);
	for (int i = 0; i < PUSH_BACKEND_NR; i++)
		if (agent->push[i])
			sink_push_gauge(agent->push[i]);
	if (pushes(agent))
		counter(agent, "rubato_agent_push_labels_folded_total",
			"Values of pod labels that became _other.",
			push_labeler_folded(agent->labeler));
}
