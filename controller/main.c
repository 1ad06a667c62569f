/* SPDX-License-Identifier: Apache-2.0 */

/* rubato-controller: options, the order in which parts start and stop, nothing else. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "controller/check.h"
#include "controller/hub.h"
#include "controller/kube_identity.h"
#include "controller/kube_source.h"
#include "controller/reconcile.h"
#include "controller/source_dir.h"
#include "controller/status_dir.h"
#include "lib/http.h"
#include "lib/limits.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/metrics.h"
#include "lib/options.h"

#define OPEN_FILES 16384 /* one per agent, and room */

struct settings {
	char *source, *status;
	char *kubeconfig, *context;
	char *agent_audience, *agent_account;
	int agent_identity;
	bool check;
	char *listen, *tls_cert, *tls_key, *tls_ca;
	int64_t boost_ttl_ns;
	struct option_list pod_labels;
	char *http_listen;
	int log_level, log_format;
};

enum { IDENTITY_AUTO, IDENTITY_TOKEN, IDENTITY_CERTIFICATE };

struct daemon {
	const struct settings *settings;
	uv_loop_t loop;
	struct loop_lag lag;
	struct loop_stop stop;
	struct metrics *metrics;
	struct status_dir *status_dir;
	struct reconcile *reconcile;
	struct hub *hub;
	struct source_dir *source; /* NULL = the Kubernetes API */
	struct kube_source *kube;
	struct kube_identity *identity; /* NULL = by certificate */
	bool failed;
	struct http *http;
};

static const char example[] =
	"Examples:\n"
	"  Try it on one machine: certificates, two daemons, one boost\n"
	"    examples/make-certs.sh certs controller local\n"
	"    rubato-controller --source manifests --listen 127.0.0.1:4320 \\\n"
	"        --tls-cert certs/controller.crt --tls-key certs/controller.key --tls-ca "
	"certs/ca.crt\n"
	"    rubato-agent --controller 127.0.0.1:4320 ...\n"
	"    cp examples/boost.yaml manifests/      # 100 Hz, for 15 seconds\n"
	"    cat manifests/.status/profilingpolicy.payments.boost.json\n"
	"\n"
	"  Check a repository of manifests in CI: what each policy would do; exit status 1 if any "
	"is wrong\n"
	"    rubato-controller --source manifests --check\n"
	"\n"
	"  Take the options from a file; flags win\n"
	"    rubato-controller --config /etc/rubato/controller.yaml --log-level debug\n";

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

static int start_hub(struct daemon *daemon, struct err *err)
{
	const struct settings *settings = daemon->settings;
	const struct hub_options options = {
		.listen = settings->listen,
		.cert_file = settings->tls_cert,
		.key_file = settings->tls_key,
		.ca_file = settings->tls_ca,
		.ttl_ms = (uint32_t)(settings->boost_ttl_ns / NSEC_PER_MSEC),
		.authenticate = daemon->identity ? kube_identity_ask : NULL,
		.auth_ctx = daemon->identity,
		.wait = daemon->kube != NULL,
		.metrics = daemon->metrics,
	};
	int r = hub_new(&daemon->loop, &options, &reconcile_hub_events, daemon->reconcile,
			&daemon->hub, err);

	if (r == 0)
		reconcile_set_hub(daemon->reconcile, daemon->hub);
	return r;
}

/* Where statuses are kept. */
static int start_status_dir(struct daemon *daemon, struct status_store *ret, struct err *err)
{
	const struct settings *settings = daemon->settings;
	cleanup(freep) char *beside = xasprintf("%s/.status", settings->source);
	int r = status_dir_new(settings->status ? settings->status : beside, daemon->metrics,
			       &daemon->status_dir, err);

	if (r == 0)
		*ret = status_dir_store(daemon->status_dir);
	return r;
}

static int start_kube(struct daemon *daemon, struct status_store *ret, struct err *err)
{
	const struct settings *settings = daemon->settings;
	struct kube_config config = { 0 };
	int r = kube_source_find(settings->kubeconfig, settings->context, &config, err);

	if (r == 0)
		r = kube_source_new(&daemon->loop, &config, daemon->metrics, &daemon->kube, err);
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
	return kube_identity_new(kube_source_http(daemon->kube), daemon->reconcile, &options,
				 &daemon->identity, err);
}

/* Before that, a good agent's pod would not be known. */
static void on_known(void *ctx)
{
	struct daemon *daemon = ctx;
	struct err err = ERR_INIT;

	if (hub_open(daemon->hub, &err) == 0)
		return;
	log_error("agents cannot connect", LOG_ERR(&err));
	daemon->failed = true;
	raise(SIGTERM);
}

static int start_http(struct daemon *daemon, struct err *err)
{
	const struct http_options options = {
		.listen = daemon->settings->http_listen,
		.metrics = daemon->metrics,
		.ready = ready,
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

	struct source_files_counts counts;
	int r;

	if (daemon->kube) {
		kube_source_start(daemon->kube, daemon->reconcile, on_known, daemon);
		return 0;
	}
	r = source_dir_new(&daemon->loop, &options, &reconcile_source_events, daemon->reconcile,
			   &daemon->source, err);
	if (r < 0)
		return r;
	source_files_count(source_dir_files(daemon->source), &counts);
	if (!counts.refused)
		reconcile_source_complete(daemon->reconcile);
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

/* --- main --- */

static int run(const struct settings *settings)
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

static int check(const struct settings *settings)
{
	struct err err = ERR_INIT;
	int r;

	/* What is refused is in the table. */
	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_AUTO);
	r = check_source(settings->source, stdout, &err);
	if (r < 0)
		fprintf(stderr, "rubato-controller: %s\n", err.text);
	return r == 0 ? 0 : 1;
}

static int complete(const struct settings *settings, struct err *err)
{
	if (settings->check && !settings->source)
		return err_set(err, -EINVAL, "--check needs --source DIR");
	if (settings->source && (settings->kubeconfig || settings->context))
		return err_set(err, -EINVAL,
			       "--source takes the place of the Kubernetes API: give "
			       "either it or --kubeconfig and --context");
	if (settings->status && !settings->source)
		return err_set(err, -EINVAL, "--status is only for --source");
	if (settings->source && settings->agent_identity == IDENTITY_TOKEN)
		return err_set(err, -EINVAL,
			       "--agent-identity token needs the Kubernetes API, not --source");
	if (settings->check)
		return 0;
	if (!settings->tls_cert || !settings->tls_key || !settings->tls_ca)
		return err_set(err, -EINVAL,
			       "--tls-cert, --tls-key and --tls-ca are needed; "
			       "examples/make-certs.sh makes such files");
	if (settings->pod_labels.nr > LIMIT_PLAN_LABELS)
		return err_set(err, -EINVAL, "--pod-labels: at most %d", LIMIT_PLAN_LABELS);
	return 0;
}

static const char *const identity_names[] = { "auto", "token", "certificate", NULL };

static struct settings s;

static const struct option_def def[] = {
	{ .name = "source",
	  .type = OPTION_TEXT,
	  .value = &s.source,
	  .arg = "DIR",
	  .group = "Manifests",
	  .help = "The directory of manifests: policies, Namespaces, Nodes and Pods in "
		  "*.yaml, *.yml and *.json. It is followed: a change is in force at "
		  "once." },
	{ .name = "kubeconfig",
	  .type = OPTION_TEXT,
	  .value = &s.kubeconfig,
	  .arg = "FILE",
	  .help = "Without --source, objects come from the Kubernetes API and statuses go there: "
		  "by "
		  "this kubeconfig, else by $KUBECONFIG, else as the pod that this runs in, else "
		  "by ~/.kube/config." },
	{ .name = "context",
	  .type = OPTION_TEXT,
	  .value = &s.context,
	  .arg = "NAME",
	  .help = "The context of the kubeconfig. Default: its current one" },
	{ .name = "status",
	  .type = OPTION_TEXT,
	  .value = &s.status,
	  .arg = "DIR",
	  .help = "Where the status of each policy is written, one file each; also what "
		  "boosts survive a restart by. Default: SOURCE/.status" },
	{ .name = "check",
	  .type = OPTION_BOOL,
	  .value = &s.check,
	  .help = "Read the manifests once, print what each policy would do, and exit with "
		  "1 if a file is wrong." },
	{ .name = "pod-labels",
	  .type = OPTION_LIST,
	  .value = &s.pod_labels,
	  .arg = "KEY",
	  .help = "Labels of pods that are passed on to profiles." },
	{ .name = "listen",
	  .type = OPTION_TEXT,
	  .value = &s.listen,
	  .arg = "HOST:PORT",
	  .fallback = ":4320",
	  .group = "Agents",
	  .help = "Where agents connect; always TLS with client certificates." },
	{ .name = "tls-cert",
	  .type = OPTION_TEXT,
	  .value = &s.tls_cert,
	  .arg = "FILE",
	  .help = "Our certificate, PEM. Agents check the name in it." },
	{ .name = "tls-key",
	  .type = OPTION_TEXT,
	  .value = &s.tls_key,
	  .arg = "FILE",
	  .help = "Its private key, PEM." },
	{ .name = "tls-ca",
	  .type = OPTION_TEXT,
	  .value = &s.tls_ca,
	  .arg = "FILE",
	  .help = "Certificates of the authorities that sign agents' certificates, PEM." },
	{ .name = "agent-identity",
	  .type = OPTION_WORD,
	  .value = &s.agent_identity,
	  .words = identity_names,
	  .fallback = "auto",
	  .help = "What says which node an agent is of: the token of its pod, reviewed by the "
		  "Kubernetes API, or the name in its certificate. auto: token, with --source "
		  "certificate" },
	{ .name = "agent-audience",
	  .type = OPTION_TEXT,
	  .value = &s.agent_audience,
	  .arg = "NAME",
	  .fallback = "rubato-controller",
	  .help = "The audience that agents' tokens are made for." },
	{ .name = "agent-service-account",
	  .type = OPTION_TEXT,
	  .value = &s.agent_account,
	  .arg = "NAMESPACE:NAME",
	  .help = "The ServiceAccount of the agents. Default: rubato-agent in the controller's "
		  "own namespace" },
	{ .name = "boost-ttl",
	  .type = OPTION_DURATION,
	  .value = &s.boost_ttl_ns,
	  .fallback = "90s",
	  .min = 3 * NSEC_PER_SEC,
	  .max = 3600 * NSEC_PER_SEC,
	  .help = "An agent that hears nothing from us for this long ends its boosts "
		  "itself." },
	{ .name = "http-listen",
	  .type = OPTION_TEXT,
	  .value = &s.http_listen,
	  .arg = "HOST:PORT",
	  .fallback = "127.0.0.1:8080",
	  .group = "Watching it",
	  .help = "Where /metrics, /healthz and /readyz are served, without TLS." },
	{ .name = "log-level",
	  .type = OPTION_WORD,
	  .value = &s.log_level,
	  .words = log_level_names,
	  .fallback = "info",
	  .help = "The least important lines that are written" },
	{ .name = "log-format",
	  .type = OPTION_WORD,
	  .value = &s.log_format,
	  .words = log_format_names,
	  .fallback = "auto",
	  .help = "auto: text on a terminal, else JSON lines" },
};

static const struct options options = {
	.program = "rubato-controller",
	.summary = "decides what every node of a fleet samples, from policies that people "
		   "apply",
	.version = VERSION,
	.example = example,
	.def = def,
	.def_nr = ARRAY_SIZE(def),
};

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	int r = options_parse(&options, argc, argv, &err);

	if (r == 0)
		r = complete(&s, &err);
	if (r < 0)
		fprintf(stderr, "rubato-controller: %s\nTry rubato-controller --help.\n", err.text);
	if (r == 0) {
		log_setup((enum log_level)s.log_level, (enum log_format)s.log_format);
		r = s.check ? check(&s) : run(&s);
	} else {
		r = r < 0 ? 2 : 0;
	}
	options_release(&options);
	return r;
}
