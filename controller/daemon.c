/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/daemon.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <uv.h>

#include "controller/core/store/store.h"
#include "controller/core/store/store_dump.h"
#include "controller/hub/epoch_file.h"
#include "controller/hub/hub.h"
#include "controller/hub/kube_epoch.h"
#include "controller/hub/kube_identity.h"
#include "controller/reconcile/reconcile.h"
#include "controller/source/kube_source.h"
#include "controller/source/source_dir.h"
#include "controller/status/status_dir.h"
#include "kube/kubeconfig_load.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/http.h"
#include "lib/observe/metrics.h"

#define OPEN_FILES 16384 /* one per agent, and room */

struct daemon {
	const struct settings *settings;
	uv_loop_t loop;
	struct loop_lag lag;
	struct loop_stop stop;
	struct metrics *metrics;
	struct status_dir *status_dir;
	struct control_epoch epoch;    /* of now, with `source`; else when kube_epoch has it */
	struct kube_epoch *kube_epoch; /* NULL = with `source` */
	struct reconcile *reconcile;
	struct hub *hub;
	struct source_dir *source; /* NULL = the Kubernetes API */
	struct kube_source *kube;
	struct kube_identity *identity; /* NULL = by certificate */
	bool known;			/* all of the cluster has been read */
	bool failed;
	struct http *http;
};

/* --- ready? --- */

static int ready(void *ctx, struct err *err)
{
	const struct daemon *daemon = ctx;

	if (!daemon->source && !daemon->kube)
		return err_set(err, -EAGAIN, "the manifests are being read");
	if (daemon->source && !source_dir_ok(daemon->source, err))
		return -ENOENT;
	if (daemon->kube && !kube_source_ok(daemon->kube, err))
		return -EAGAIN;
	if (daemon->kube_epoch && !kube_epoch_ok(daemon->kube_epoch, err))
		return -EAGAIN;
	if (!reconcile_ok(daemon->reconcile, err))
		return -EIO;
	return 0;
}

/* --- start --- */

static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= OPEN_FILES)
		return;
	limit.rlim_cur = MIN(OPEN_FILES, limit.rlim_max);
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < OPEN_FILES)
		log_info("few agents can connect, each takes an open file",
			 LOG_UINT("limit", limit.rlim_cur));
}

static void set_plan(void *hub, const char *node, struct plan *plan, enum hub_lane lane)
{
	hub_set_plan(hub, node, plan, lane);
}

static void drop_node(void *hub, const char *node)
{
	hub_drop_node(hub, node);
}

static bool node_get(void *hub, const char *node, struct hub_node *ret_node)
{
	return hub_node_get(hub, node, ret_node);
}

/* Before any node is known, an agent may be there first. */
static bool is_node(void *ctx, const char *name)
{
	const struct store *store = reconcile_store(ctx);

	return store_node_nr(store) == 0 || store_has_node(store, name);
}

static int start_hub(struct daemon *daemon, struct err *err)
{
	const struct settings *settings = daemon->settings;
	const struct hub_options options = {
		.listen = settings->listen,
		.cert_file = settings->tls_cert,
		.key_file = settings->tls_key,
		.ca_file = settings->tls_ca,
		.epoch = daemon->epoch,
		.ttl_ms = (uint32_t)(settings->boost_ttl_ns / NSEC_PER_MSEC),
		.authenticate = daemon->identity ? kube_identity_ask : NULL,
		.is_node = is_node,
		.auth_ctx = daemon->identity ? (void *)daemon->identity : daemon->reconcile,
		.wait = daemon->kube != NULL,
		.metrics = daemon->metrics,
	};
	static const struct hub_events events = { .node_changed = reconcile_node_changed };
	struct plan_sink plans = { .set_plan = set_plan,
				   .drop_node = drop_node,
				   .node_get = node_get };
	int r = hub_new(&daemon->loop, &options, &events, daemon->reconcile, &daemon->hub, err);

	if (r < 0)
		return r;
	plans.ctx = daemon->hub;
	reconcile_set_plan_sink(daemon->reconcile, &plans);
	return 0;
}

/* Where statuses are kept. */
static int start_status_dir(struct daemon *daemon, struct status_store *ret, struct err *err)
{
	const struct settings *settings = daemon->settings;
	cleanup(freep) char *beside = xasprintf("%s/.status", settings->source);
	const char *dir = settings->status ? settings->status : beside;
	cleanup(freep) char *epoch = xasprintf("%s/.epoch", dir);
	int r = status_dir_new(dir, daemon->metrics, &daemon->status_dir, err);

	if (r < 0)
		return r;
	*ret = status_dir_store(daemon->status_dir);
	return epoch_file_next(epoch, now_wall_ns() / NSEC_PER_SEC, &daemon->epoch, err);
}

static int start_kube(struct daemon *daemon, struct status_store *ret, struct err *err)
{
	const struct settings *settings = daemon->settings;
	struct kube_config config = { 0 };
	int r = kubeconfig_load(settings->kubeconfig, settings->context, &config, err);

	if (r == 0)
		r = kube_source_new(&daemon->loop, &config, settings->watch_timeout_ns,
				    daemon->metrics, &daemon->kube, err);
	kube_config_release(&config);
	if (r == 0)
		*ret = kube_source_store(daemon->kube);
	return r;
}

static int start_reconcile(struct daemon *daemon, struct err *err)
{
	const struct settings *settings = daemon->settings;
	const struct compile_options options = {
		.label = (const char *const *)settings->pod_labels.item,
		.label_nr = settings->pod_labels.nr,
	};
	struct status_store statuses;
	int r = settings->source ? start_status_dir(daemon, &statuses, err)
				 : start_kube(daemon, &statuses, err);

	if (r < 0)
		return r;
	daemon->reconcile = reconcile_new(&daemon->loop, &options, &statuses, daemon->metrics);
	return 0;
}

static int start_identity(struct daemon *daemon, struct err *err)
{
	const struct settings *settings = daemon->settings;
	const struct kube_identity_options options = {
		.audience = settings->agent_audience,
		.account = settings->agent_account,
	};

	if (!daemon->kube || settings->agent_identity == IDENTITY_CERTIFICATE)
		return 0;
	return kube_identity_new(kube_source_http(daemon->kube), reconcile_store(daemon->reconcile),
				 &options, &daemon->identity, err);
}

/* Before everything is known, a good agent's pod would not be; without an epoch it could not tell us from a ghost. */
static void let_agents_in(struct daemon *daemon)
{
	struct err err = ERR_INIT;

	if (!daemon->known || !kube_epoch_get(daemon->kube_epoch, &daemon->epoch) ||
	    hub_open(daemon->hub, &daemon->epoch, &err) == 0)
		return;
	log_error("agents cannot connect", LOG_ERR(&err));
	daemon->failed = true;
	raise(SIGTERM);
}

static void on_known(void *ctx)
{
	struct daemon *daemon = ctx;

	daemon->known = true;
	let_agents_in(daemon);
}

static void on_epoch(void *ctx)
{
	let_agents_in(ctx);
}

static void *open_dump(void *ctx)
{
	const struct daemon *daemon = ctx;

	return daemon->reconcile ? store_dump_new(reconcile_store(daemon->reconcile)) : NULL;
}

static size_t read_dump(void *dump, char *buf, size_t size)
{
	return store_dump_read(dump, buf, size);
}

static void close_dump(void *dump)
{
	store_dump_free(dump);
}

static const struct http_stream debug_store = {
	.path = "/debug/store",
	.type = "application/jsonl",
	.open = open_dump,
	.read = read_dump,
	.close = close_dump,
};

static int start_http(struct daemon *daemon, struct err *err)
{
	const struct http_options options = {
		.listen = daemon->settings->http_listen,
		.metrics = daemon->metrics,
		.ready = ready,
		.stream = daemon->settings->debug_store ? &debug_store : NULL,
		.ctx = daemon,
	};

	return http_new(&daemon->loop, &options, &daemon->http, err);
}

static int start_source(struct daemon *daemon, struct err *err)
{
	const struct source_dir_options options = {
		.path = daemon->settings->source,
		.metrics = daemon->metrics,
	};

	const struct source_sink sink = reconcile_sink(daemon->reconcile);
	struct source_files_counts counts;
	int r;

	if (daemon->kube) {
		r = kube_epoch_new(&daemon->loop, kube_source_http(daemon->kube), on_epoch, daemon,
				   &daemon->kube_epoch, err);
		if (r < 0)
			return r;
		reconcile_set_notes(daemon->reconcile, kube_source_note, daemon->kube);
		kube_source_start(daemon->kube, &sink, on_known, daemon);
		return 0;
	}
	r = source_dir_new(&daemon->loop, &options, &sink, &daemon->source, err);
	if (r < 0)
		return r;
	source_files_count(source_dir_files(daemon->source), &counts);
	if (!counts.refused)
		sink.complete(sink.ctx);
	log_info("manifests are read", LOG_STR("source", daemon->settings->source),
		 LOG_UINT("objects", counts.objects), LOG_UINT("refused", counts.refused));
	return 0;
}

static int start(struct daemon *daemon, struct err *err)
{
	int r = start_http(daemon, err);

	if (r == 0)
		r = start_reconcile(daemon, err);
	if (r == 0)
		r = start_identity(daemon, err);
	if (r == 0)
		r = start_hub(daemon, err);
	if (r == 0)
		r = start_source(daemon, err);
	if (r < 0)
		return r;
	log_info("rubato-controller is up", LOG_STR("version", VERSION),
		 LOG_INT("port", hub_port(daemon->hub)),
		 LOG_INT("http_port", http_port(daemon->http)));
	return 0;
}

/* --- stop --- */

static void on_hub_closed(void *ctx)
{
	struct daemon *daemon = ctx;

	hub_free(TAKE_PTR(daemon->hub));
}

/* The statuses are written before the agents are told to go. */
static void stop(struct daemon *daemon)
{
	http_free(TAKE_PTR(daemon->http));
	source_dir_close(TAKE_PTR(daemon->source));
	reconcile_close(daemon->reconcile);
	kube_identity_close(daemon->identity);
	kube_epoch_close(TAKE_PTR(daemon->kube_epoch));
	kube_source_close(TAKE_PTR(daemon->kube));
	if (daemon->hub)
		hub_close(daemon->hub, on_hub_closed, daemon);
	loop_lag_close(&daemon->lag);
	loop_stop_close(&daemon->stop);
}

static void on_signal(void *ctx, const char *signal_name)
{
	log_info("stopping", LOG_STR("signal", signal_name));
	stop(ctx);
}

int daemon_run(const struct settings *settings)
{
	struct daemon daemon = { .settings = settings, .metrics = metrics_new() };
	struct err err = ERR_INIT;
	int r;

	raise_file_limit();
	uv_loop_init(&daemon.loop);
	metrics_add_process(daemon.metrics, "rubato_controller", VERSION);
	loop_lag_start(&daemon.lag, &daemon.loop, daemon.metrics, "rubato_controller");
	loop_stop_start(&daemon.stop, &daemon.loop, on_signal, &daemon);
	r = start(&daemon, &err);
	if (r < 0) {
		log_error("cannot start", LOG_ERR(&err));
		stop(&daemon);
	}
	uv_run(&daemon.loop, UV_RUN_DEFAULT);
	kube_identity_free(daemon.identity);
	status_dir_free(daemon.status_dir);
	metrics_free(daemon.metrics);
	if (uv_loop_close(&daemon.loop) != 0)
		log_warn("something was left on the loop");
	if (r == 0)
		log_info("stopped");
	return r < 0 || daemon.failed ? 1 : 0;
}
