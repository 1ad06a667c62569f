/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/source/kube_source_priv.h"

#include "controller/core/status/policy_event.h"
#include "controller/status/kube_status.h"
#include "kube/event_sender.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

/* What the reflector tells of one kind: from JSON to the sink. */

#define TOLD_MAX 1000

static bool is_policy(enum object_kind kind)
{
	return kind == OBJECT_POLICY || kind == OBJECT_CLUSTER_POLICY;
}

/* --- what cannot be used --- */

/* A policy's own events come with its status. */
static void tell(struct kube_follow *follow, const json_t *metadata, const struct err *why)
{
	const char *ns = json_string_value(json_object_get(metadata, "namespace"));
	const char *uid = json_string_value(json_object_get(metadata, "uid"));
	const struct event_object regarding = {
		.api_version = follow->resource.api_version,
		.kind = follow->resource.kind,
		.ns = ns ? ns : "",
		.name = json_string_value(json_object_get(metadata, "name")),
		.uid = uid ? uid : "",
	};
	cleanup(freep) char *text = xasprintf(
		"It cannot be read, and is taken for what it was before, if it was anything: %s",
		why->text);

	event_sender_tell(follow->source->doubts, policy_event_unreadable(), &regarding, text);
}

/* Only once for each name, for a pod comes again with every change of its status. */
static void log_refused(struct kube_follow *follow, const json_t *metadata, const struct err *why)
{
	const char *ns = json_string_value(json_object_get(metadata, "namespace"));
	const char *name = json_string_value(json_object_get(metadata, "name"));

	ns = ns ? ns : "";
	if (!name)
		return;
	if (follow->told.nr == TOLD_MAX)
		key_set_reset(&follow->told, random_u64(), random_u64());
	if (key_set_has(&follow->told, ns, name))
		return;
	key_set_add(&follow->told, ns, name);
	log_warn("object cannot be used", LOG_STR("path", follow->resource.path),
		 LOG_STR("namespace", ns), LOG_STR("name", name), LOG_ERR(why));
	if (!is_policy(follow->kind))
		tell(follow, metadata, why);
}

static void refuse(struct kube_follow *follow, const json_t *json, const struct err *why)
{
	struct kube_source *source = follow->source;
	const json_t *metadata = json_object_get(json, "metadata");
	struct object *outline = NULL;

	metric_add(follow->refused, 1);
	if (!is_policy(follow->kind) || object_outline(json, follow->kind, &outline) < 0) {
		log_refused(follow, metadata, why);
		return;
	}
	source->changed = true;
	kube_status_learn(source->status, outline, json);
	source->sink.refuse(source->sink.ctx, outline, why->text);
}

/* --- what comes --- */

static void on_put(void *ctx, json_t *json)
{
	struct kube_follow *follow = ctx;
	struct kube_source *source = follow->source;
	struct manifest_doc doc = { .has_created = true };
	struct err err = ERR_INIT;

	if (object_from_json(json, &doc.object, &err) < 0) {
		refuse(follow, json, &err);
		return;
	}
	if (doc.object->kind != follow->kind) {
		object_free(doc.object);
		return;
	}
	metric_add(follow->objects, 1);
	source->changed = true;
	if (is_policy(follow->kind))
		kube_status_learn(source->status, doc.object, json);
	source->sink.apply(source->sink.ctx, &doc);
}

/* Its last good state stays, as that of one that is refused. */
static void on_set_aside(void *ctx, json_t *names, const char *why)
{
	struct err err = ERR_INIT;

	err_text(&err, "%s", why);
	refuse(ctx, names, &err);
}

static void on_remove(void *ctx, const char *ns, const char *name)
{
	struct kube_follow *follow = ctx;
	struct kube_source *source = follow->source;

	source->changed = true;
	source->sink.remove(source->sink.ctx, follow->kind, ns, name);
}

static bool on_sweep(void *ctx, const struct key_set *seen, bool begins)
{
	struct kube_follow *follow = ctx;
	struct kube_source *source = follow->source;

	if (begins)
		sweep_at_release(&follow->swept);
	return source->sink.sweep(source->sink.ctx, follow->kind, seen, &follow->swept);
}

static void on_settled(void *ctx)
{
	struct kube_follow *follow = ctx;

	kube_source_settled(follow->source);
}

static void on_synced(void *ctx)
{
	struct kube_follow *follow = ctx;

	sweep_at_release(&follow->swept);
	kube_source_synced(follow->source);
}

/* --- life --- */

void kube_follow_start(struct kube_follow *follow)
{
	static const struct reflector_events events = {
		.put = on_put,
		.set_aside = on_set_aside,
		.remove = on_remove,
		.sweep = on_sweep,
		.settled = on_settled,
		.synced = on_synced,
	};
	struct kube_source *source = follow->source;
	struct metrics *m = source->metrics;
	const struct metric_labels kind = METRIC_LABELS("kind", object_kind_name(follow->kind));
	const struct reflector_options options = {
		.http = source->http,
		.resource = &follow->resource,
		.events = &events,
		.ctx = follow,
		.timeout_s = source->watch_timeout_s,
		.lists = metrics_counter(m, "rubato_controller_watch_lists_total",
					 "LIST requests, pages too.", kind),
		.errors =
			metrics_counter(m, "rubato_controller_watch_errors_total",
					"Watches and lists that did not go as they should.", kind),
	};

	follow->objects = metrics_counter(m, "rubato_controller_watch_objects_total",
					  "Objects that the API server sent.", kind);
	follow->refused = metrics_counter(m, "rubato_controller_watch_refused_total",
					  "Objects that cannot be used.", kind);
	key_set_reset(&follow->told, random_u64(), random_u64());
	follow->reflector = reflector_new(source->loop, &options);
}

void kube_follow_close(struct kube_follow *follow)
{
	reflector_close(TAKE_PTR(follow->reflector));
	key_set_release(&follow->told);
	sweep_at_release(&follow->swept);
}
