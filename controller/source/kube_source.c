/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/source/kube_source.h"

#include <uv.h>

#include "controller/source/kube_source_priv.h"
#include "controller/status/kube_status.h"
#include "kube/core/config/proxy.h"
#include "kube/event_sender.h"
#include "kube/http.h"
#include "lib/log.h"
#include "lib/observe/metrics.h"

#define PROGRAM "rubato-controller/" VERSION
#define DOUBTS_PAUSE_NS NSEC_PER_SEC /* of 20 requests a second */
#define LACKS_RIGHTS "the ClusterRole lacks list or watch"
#define LACKS_CRDS "are the CRDs installed?"

/* In the order in which they are asked for. */
static const struct {
	enum object_kind kind;
	const char *path, *api_version;
} followed[KUBE_SOURCE_KINDS] = {
	{ OBJECT_CLUSTER_POLICY, "/apis/" PROFILING_API_VERSION "/clusterprofilingpolicies",
	  PROFILING_API_VERSION },
	{ OBJECT_POLICY, "/apis/" PROFILING_API_VERSION "/profilingpolicies",
	  PROFILING_API_VERSION },
	{ OBJECT_NAMESPACE, "/api/v1/namespaces", "v1" },
	{ OBJECT_NODE, "/api/v1/nodes", "v1" },
	{ OBJECT_POD, "/api/v1/pods", "v1" },
};

/* --- what comes --- */

/* Nothing is compiled before everything is known: a plan without the pods would end their boosts. */
void kube_source_settled(struct kube_source *source)
{
	if (!source->complete || !source->changed)
		return;
	source->changed = false;
	source->sink.settled(source->sink.ctx);
}

void kube_source_synced(struct kube_source *source)
{
	source->changed = true;
	for (size_t i = 0; i < ARRAY_SIZE(source->follow); i++)
		if (!reflector_synced(source->follow[i].reflector))
			return;
	if (!source->complete) {
		log_info("everything is read from the Kubernetes API");
		source->complete = true;
		source->known(source->known_ctx);
	}
	source->sink.complete(source->sink.ctx);
}

static void on_stored(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	struct kube_source *source = ctx;

	if (source->complete)
		source->sink.stored(source->sink.ctx, kind, ns, name);
}

/* --- life --- */

static struct event_sender *new_events(const struct kube_source *source, int64_t pause_ns)
{
	const struct event_sender_options options = {
		.http = source->http,
		.controller = PROFILING_GROUP "/controller",
		.pause_ns = pause_ns,
		.dropped = metrics_counter(
			source->metrics, "rubato_controller_events_dropped_total",
			"Events that the Kubernetes API did not get.", METRIC_NO_LABELS),
	};

	return event_sender_new(source->loop, &options);
}

int kube_source_new(struct uv_loop_s *loop, struct kube_config *config, int64_t watch_timeout_ns,
		    struct metrics *metrics, struct kube_source **ret_source, struct err *err)
{
	struct kube_source *source = xcalloc(1, sizeof(*source));
	const struct kube_http_options options = {
		.config = config,
		.user_agent = PROGRAM,
		.answers = metrics_counter(metrics, "rubato_controller_kube_answers_total",
					   "Answers of the Kubernetes API.", METRIC_NO_LABELS),
		.failures = metrics_counter(metrics, "rubato_controller_kube_failures_total",
					    "Requests to the Kubernetes API without an answer.",
					    METRIC_NO_LABELS),
	};
	int r;

	source->loop = loop;
	source->metrics = metrics;
	source->watch_timeout_s = watch_timeout_ns / NSEC_PER_SEC;
	r = kube_http_new(loop, &options, &source->http, err);
	if (r < 0) {
		free(source);
		return r;
	}
	source->status = kube_status_new(loop, source->http, on_stored, source, metrics);
	source->events = new_events(source, 0);
	source->doubts = new_events(source, DOUBTS_PAUSE_NS);
	*ret_source = source;
	return 0;
}

struct status_store kube_source_store(struct kube_source *source)
{
	return kube_status_store(source->status);
}

struct kube_http *kube_source_http(const struct kube_source *source)
{
	return source->http;
}

void kube_source_start(struct kube_source *source, const struct source_sink *sink,
		       void (*known)(void *ctx), void *ctx)
{
	const struct kube_config *config = kube_http_config(source->http);
	const char *proxy = kube_http_proxy(source->http);
	cleanup(freep) char *shown = proxy ? kube_proxy_shown(proxy) : NULL;

	log_info("Kubernetes API", LOG_STR("server", config->server),
		 LOG_STR("context", config->context), LOG_STR("proxy", shown));
	source->sink = *sink;
	source->known = known;
	source->known_ctx = ctx;
	for (size_t i = 0; i < ARRAY_SIZE(source->follow); i++) {
		struct kube_follow *follow = &source->follow[i];

		*follow = (struct kube_follow){ .source = source, .kind = followed[i].kind };
		follow->resource = (struct reflector_resource){
			.path = followed[i].path,
			.api_version = followed[i].api_version,
			.kind = object_kind_name(follow->kind),
			.keep = object_keep(follow->kind),
			.keep_aside = object_keep_outline(follow->kind),
			.forbidden_hint = LACKS_RIGHTS,
			.missing_hint = LACKS_CRDS,
		};
		kube_follow_start(follow);
	}
}

void kube_source_note(void *ctx, enum policy_event event, const struct object *object,
		      const char *text)
{
	struct kube_source *source = ctx;
	const struct event_object regarding = {
		.api_version = PROFILING_API_VERSION,
		.kind = object_kind_name(object->kind),
		.ns = object->ns,
		.name = object->name,
		.uid = object->uid,
	};

	event_sender_tell(source->events, policy_event_reason(event), &regarding, text);
}

static void on_finished(void *ctx)
{
	struct kube_source *source = ctx;

	kube_status_close(source->status);
	event_sender_close(source->events);
	event_sender_close(source->doubts);
	kube_http_close(source->http);
	free(source);
}

void kube_source_close(struct kube_source *source)
{
	if (!source)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(source->follow); i++)
		kube_follow_close(&source->follow[i]);
	kube_status_finish(source->status, on_finished, source);
}

bool kube_source_ok(const struct kube_source *source, struct err *ret_why)
{
	for (size_t i = 0; i < ARRAY_SIZE(source->follow); i++) {
		const struct reflector *reflector = source->follow[i].reflector;

		if (!reflector)
			return err_set(ret_why, 0, "not started") != 0;
		if (!reflector_ok(reflector, ret_why))
			return false;
	}
	return kube_status_ok(source->status, ret_why);
}
