/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/status/kube_status.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

#include "controller/core/status/status_queue.h"
#include "kube/core/watch/watch_read.h"
#include "lib/core/limits.h"
#include "lib/core/text/json.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#define GONE_QUIETLY 3	 /* tries */
#define PATIENCE_MS 3000 /* at the end */

struct kube_status {
	struct kube_http *http;
	struct status_queue *queue;
	uv_timer_t timer;
	void (*stored)(void *ctx, enum object_kind kind, const char *ns, const char *name);
	void *ctx;
	struct err failing; /* why; "" = it works */
	struct metric *writes, *failures;
	void (*finished)(void *ctx); /* NULL = goes on */
	void *finished_ctx;
	bool closing;
};

/* --- writing --- */

static char *path_of(const struct status_entry *entry)
{
	static const char query[] = "/status?fieldManager=" KUBE_FIELD_MANAGER "&force=true";

	if (entry->kind == OBJECT_CLUSTER_POLICY)
		return xasprintf("/apis/%s/clusterprofilingpolicies/%s%s", PROFILING_API_VERSION,
				 entry->name, query);
	return xasprintf("/apis/%s/namespaces/%s/profilingpolicies/%s%s", PROFILING_API_VERSION,
			 entry->ns, entry->name, query);
}

/* The uid makes the write fail rather than create, when the object has gone meanwhile. */
static char *body_of(const struct status_entry *entry)
{
	json_auto_t *body =
		json_must(json_pack("{sssss{ssss}sO}", "apiVersion", PROFILING_API_VERSION, "kind",
				    object_kind_name(entry->kind), "metadata", "name", entry->name,
				    "uid", entry->uid, "status", entry->sent));
	char *text;

	if (entry->ns[0])
		json_object_set_new(json_object_get(body, "metadata"), "namespace",
				    json_must(json_string(entry->ns)));
	text = json_dumps(body, JSON_COMPACT);
	if (!text)
		abort();
	return text;
}

static void on_done(void *ctx, const struct kube_answer *answer);

static void send_status(struct kube_status *kube, struct status_entry *entry)
{
	cleanup(freep) char *path = path_of(entry);
	cleanup(freep) char *body = body_of(entry);
	const struct kube_request request = {
		.method = "PATCH",
		.path = path,
		.body = body,
		.body_len = strlen(body),
		.content_type = "application/apply-patch+yaml",
		.exempt = entry->urgent || kube->finished,
		.done = on_done,
		.ctx = entry,
	};

	metric_add(kube->writes, 1);
	entry->owner = kube;
	entry->call = kube_http_send(kube->http, &request);
}

static void on_timer(uv_timer_t *timer);
static void on_patience(uv_timer_t *timer);

/* Send what may be sent. */
static void pump(struct kube_status *kube)
{
	int64_t now_ns = now_boot_ns(), wake_ns;
	struct status_entry *entry;

	if (kube->closing)
		return;
	while ((entry = status_queue_next(kube->queue, now_ns)))
		send_status(kube, entry);
	if (kube->finished) {
		if (!status_queue_busy(kube->queue))
			uv_timer_start(&kube->timer, on_patience, 0, 0);
		return;
	}
	wake_ns = status_queue_wake_ns(kube->queue);
	if (wake_ns != INT64_MAX)
		uv_timer_start(&kube->timer, on_timer,
			       (uint64_t)(MAX(wake_ns - now_ns, 0) / NSEC_PER_MSEC + 1), 0);
}

static void on_timer(uv_timer_t *timer)
{
	pump(timer->data);
}

/* All is written, or it takes too long. */
static void on_patience(uv_timer_t *timer)
{
	struct kube_status *kube = timer->data;

	kube->finished(kube->finished_ctx);
}

static enum status_outcome outcome_of(const struct kube_answer *answer)
{
	if (answer->failure)
		return answer->failure == -ECONNREFUSED ? STATUS_UNANSWERED : STATUS_FAILED;
	if (answer->code == 404 || answer->code == 409)
		return STATUS_GONE;
	return answer->code == 200 ? STATUS_STORED : STATUS_FAILED;
}

static void on_failed(struct kube_status *kube, const struct status_entry *entry,
		      const struct kube_answer *answer)
{
	struct err err = answer->err;

	if (!answer->failure)
		err_set(&err, -EIO, "status of %s %s/%s: HTTP %d: %.300s",
			object_kind_name(entry->kind), entry->ns, entry->name, answer->code,
			answer->body);
	metric_add(kube->failures, 1);
	if (!kube->failing.text[0])
		log_warn("status cannot be written, trying again", LOG_ERR(&err));
	kube->failing = err;
}

static void on_stored(struct kube_status *kube)
{
	if (kube->failing.text[0])
		log_info("status can be written again");
	kube->failing = (struct err)ERR_INIT;
}

/* The watch says within moments that an object has gone; what is gone for longer deserves a word. */
static bool is_expected(const struct status_entry *entry, enum status_outcome outcome)
{
	return outcome == STATUS_GONE && entry->backoff.failures < GONE_QUIETLY;
}

/* The object's resourceVersion after the write; NULL = it is not said. */
static const char *version_of(const struct kube_answer *answer, char out[STATUS_VERSION_BYTES])
{
	json_auto_t *object = NULL;
	const char *version;

	if (json_pick(answer->body, answer->len, watch_keep_names, LIMIT_KUBE_OBJECT_DEPTH, &object,
		      NULL) < 0)
		return NULL;
	version = json_string_value(
		json_object_get(json_object_get(object, "metadata"), "resourceVersion"));
	if (!version || strlen(version) >= STATUS_VERSION_BYTES)
		return NULL;
	memcpy(out, version, strlen(version) + 1);
	return out;
}

static void on_done(void *ctx, const struct kube_answer *answer)
{
	struct status_entry *entry = ctx;
	struct kube_status *kube = entry->owner;
	enum status_outcome outcome = outcome_of(answer);
	char version[STATUS_VERSION_BYTES];

	entry->call = NULL;
	if (outcome == STATUS_STORED)
		on_stored(kube);
	else if (!is_expected(entry, outcome))
		on_failed(kube, entry, answer);
	status_queue_done(kube->queue, entry, outcome,
			  outcome == STATUS_STORED ? version_of(answer, version) : NULL,
			  now_boot_ns(), random_u64());
	if (outcome == STATUS_STORED && !kube->finished)
		kube->stored(kube->ctx, entry->kind, entry->ns, entry->name);
	pump(kube);
}

/* --- as a store --- */

static void store_identify(void *ctx, struct manifest_doc *doc, int64_t now_wall_s)
{
	(void)ctx;
	(void)doc;
	(void)now_wall_s;
}

static const json_t *store_get(void *ctx, const struct object *object)
{
	const struct kube_status *kube = ctx;

	return status_queue_stored(kube->queue, object);
}

static int store_put(void *ctx, const struct object *object, json_t *status, bool urgent,
		     struct err *err)
{
	struct kube_status *kube = ctx;

	(void)err;
	if (status_queue_want(kube->queue, object, status, urgent))
		return 0;
	pump(kube);
	return -EINPROGRESS;
}

static void store_remove(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	struct kube_status *kube = ctx;

	status_queue_forget(kube->queue, kind, ns, name);
	/* What failed is no more: /readyz shall not wait for the next status of another. */
	if (!status_queue_retries(kube->queue))
		kube->failing = (struct err)ERR_INIT;
	pump(kube);
}

static void store_sweep(void *ctx)
{
	(void)ctx;
}

struct status_store kube_status_store(struct kube_status *kube)
{
	static const struct status_store_ops ops = {
		.identify = store_identify,
		.get = store_get,
		.put = store_put,
		.remove = store_remove,
		.sweep = store_sweep,
	};

	return (struct status_store){ .ops = &ops, .ctx = kube };
}

void kube_status_learn(struct kube_status *kube, const struct object *object, const json_t *json)
{
	const json_t *metadata = json_object_get(json, "metadata");

	status_queue_learn(kube->queue, object, json_object_get(json, "status"),
			   json_string_value(json_object_get(metadata, "resourceVersion")),
			   now_boot_ns());
	pump(kube);
}

bool kube_status_ok(const struct kube_status *kube, struct err *ret_why)
{
	if (kube->failing.text[0])
		*ret_why = kube->failing;
	return !kube->failing.text[0];
}

/* --- life --- */

static void drop(struct status_entry *entry)
{
	kube_call_cancel(TAKE_PTR(entry->call));
}

struct kube_status *kube_status_new(struct uv_loop_s *loop, struct kube_http *http,
				    void (*stored)(void *ctx, enum object_kind kind, const char *ns,
						   const char *name),
				    void *ctx, struct metrics *metrics)
{
	struct kube_status *kube = xcalloc(1, sizeof(*kube));

	kube->http = http;
	kube->queue = status_queue_new(drop);
	kube->stored = stored;
	kube->ctx = ctx;
	kube->writes = metrics_counter(metrics, "rubato_controller_status_patches_total",
				       "Statuses sent to the Kubernetes API.", METRIC_NO_LABELS);
	kube->failures =
		metrics_counter(metrics, "rubato_controller_status_patch_failures_total",
				"Statuses that the Kubernetes API did not take.", METRIC_NO_LABELS);
	uv_timer_init(loop, &kube->timer);
	kube->timer.data = kube;
	return kube;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void kube_status_finish(struct kube_status *kube, void (*finished)(void *ctx), void *ctx)
{
	kube->finished = finished;
	kube->finished_ctx = ctx;
	uv_timer_start(&kube->timer, on_patience, PATIENCE_MS, 0);
	pump(kube);
}

void kube_status_close(struct kube_status *kube)
{
	if (!kube || kube->closing)
		return;
	kube->closing = true;
	status_queue_free(TAKE_PTR(kube->queue));
	uv_close((uv_handle_t *)&kube->timer, on_closed);
}
