/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/kube_status.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

#include "controller/status.h"
#include "lib/backoff.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/metrics.h"

#define RETRY_FIRST_NS NSEC_PER_SEC
#define RETRY_LAST_NS (30 * NSEC_PER_SEC)
#define UNANSWERED_LAST_NS (4 * NSEC_PER_SEC) /* when nobody listens, which burdens nobody */

struct entry {
	struct entry *next;
	struct kube_status *kube;
	enum object_kind kind;
	char *ns, *name, *uid;
	json_t *stored; /* NULL = none */
	json_t *wanted; /* not sent yet; NULL = nothing */
	json_t *sent;	/* on its way */
	struct kube_call *call;
	struct backoff backoff;
	int64_t due_ns; /* of the next try */
};

struct kube_status {
	struct kube_http *http;
	struct entry *first;
	uv_timer_t timer;
	void (*stored)(void *ctx);
	void *ctx;
	struct err failing; /* why; "" = it works */
	struct metric *writes, *failures;
	bool closing;
};

/* --- entries --- */

static struct entry **place(struct kube_status *kube, enum object_kind kind, const char *ns,
			    const char *name)
{
	struct entry **at = &kube->first;

	while (*at && ((*at)->kind != kind || strcmp((*at)->name, name) != 0 ||
		       strcmp((*at)->ns, ns) != 0))
		at = &(*at)->next;
	return at;
}

static void entry_free(struct entry *entry)
{
	kube_call_cancel(entry->call);
	json_decref(entry->stored);
	json_decref(entry->wanted);
	json_decref(entry->sent);
	free(entry->ns);
	free(entry->name);
	free(entry->uid);
	free(entry);
}

static void forget(struct entry **at)
{
	struct entry *entry = *at;

	*at = entry->next;
	entry_free(entry);
}

/* The entry of this very object; one of an earlier object of its name goes. */
static struct entry *find(struct kube_status *kube, const struct object *object)
{
	struct entry **at = place(kube, object->kind, object->ns, object->name);

	if (*at && strcmp((*at)->uid, object->uid) != 0) {
		forget(at);
		return NULL;
	}
	return *at;
}

static struct entry *find_or_add(struct kube_status *kube, const struct object *object)
{
	struct entry *entry = find(kube, object);

	if (entry)
		return entry;
	entry = xcalloc(1, sizeof(*entry));
	entry->kube = kube;
	entry->backoff.base_ns = RETRY_FIRST_NS;
	entry->kind = object->kind;
	entry->ns = xstrdup(object->ns);
	entry->name = xstrdup(object->name);
	entry->uid = xstrdup(object->uid);
	entry->next = kube->first;
	kube->first = entry;
	return entry;
}

/* --- writing --- */

static char *path_of(const struct entry *entry)
{
	static const char query[] = "/status?fieldManager=" KUBE_FIELD_MANAGER "&force=true";

	if (entry->kind == OBJECT_CLUSTER_POLICY)
		return xasprintf("/apis/%s/clusterprofilingpolicies/%s%s", PROFILING_API_VERSION,
				 entry->name, query);
	return xasprintf("/apis/%s/namespaces/%s/profilingpolicies/%s%s", PROFILING_API_VERSION,
			 entry->ns, entry->name, query);
}

/* The uid makes the write fail rather than create, when the object has gone meanwhile. */
static char *body_of(const struct entry *entry, json_t *status)
{
	json_auto_t *body =
		json_must(json_pack("{sssss{ssss}sO}", "apiVersion", PROFILING_API_VERSION, "kind",
				    object_kind_name(entry->kind), "metadata", "name", entry->name,
				    "uid", entry->uid, "status", status));
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

static void send_status(struct entry *entry)
{
	cleanup(freep) char *path = path_of(entry);
	cleanup(freep) char *body = NULL;
	struct kube_request request = {
		.method = "PATCH",
		.path = path,
		.content_type = "application/apply-patch+yaml",
		.done = on_done,
		.ctx = entry,
	};

	entry->sent = TAKE_PTR(entry->wanted);
	body = body_of(entry, entry->sent);
	request.body = body;
	request.body_len = strlen(body);
	metric_add(entry->kube->writes, 1);
	entry->call = kube_http_send(entry->kube->http, &request);
}

static void on_timer(uv_timer_t *timer)
{
	struct kube_status *kube = timer->data;
	int64_t now_ns = now_boot_ns(), next_ns = INT64_MAX;

	for (struct entry *entry = kube->first; entry; entry = entry->next) {
		if (!entry->wanted || entry->call)
			continue;
		if (entry->due_ns <= now_ns)
			send_status(entry);
		else
			next_ns = MIN(next_ns, entry->due_ns);
	}
	if (next_ns != INT64_MAX)
		uv_timer_start(timer, on_timer, (uint64_t)((next_ns - now_ns) / NSEC_PER_MSEC + 1),
			       0);
}

static void on_failed(struct entry *entry, const struct kube_answer *answer)
{
	struct kube_status *kube = entry->kube;
	int64_t now_ns = now_boot_ns();
	struct err err = answer->err;

	if (!answer->failure)
		err_set(&err, -EIO, "status of %s %s/%s: HTTP %d: %.300s",
			object_kind_name(entry->kind), entry->ns, entry->name, answer->code,
			answer->body);
	metric_add(kube->failures, 1);
	if (!kube->failing.text[0])
		log_warn("status cannot be written, trying again", LOG_ERR(&err));
	kube->failing = err;
	entry->backoff.cap_ns =
		answer->failure == -ECONNREFUSED ? UNANSWERED_LAST_NS : RETRY_LAST_NS;
	entry->due_ns = now_ns + backoff_next(&entry->backoff, now_ns, random_u64());
	if (!entry->wanted)
		entry->wanted = TAKE_PTR(entry->sent);
}

static void on_done(void *ctx, const struct kube_answer *answer)
{
	struct entry *entry = ctx;
	struct kube_status *kube = entry->kube;
	bool good = !answer->failure && answer->code == 200;
	bool gone = !answer->failure && (answer->code == 404 || answer->code == 409);

	entry->call = NULL;
	if (good) {
		json_decref(entry->stored);
		entry->stored = TAKE_PTR(entry->sent);
		entry->due_ns = 0;
		backoff_reset(&entry->backoff);
		if (kube->failing.text[0])
			log_info("status can be written again");
		kube->failing = (struct err)ERR_INIT;
	} else if (!gone) {
		on_failed(entry, answer);
	}
	json_decref(TAKE_PTR(entry->sent));
	uv_timer_start(&kube->timer, on_timer, 0, 0);
	if (good)
		kube->stored(kube->ctx);
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
	const struct entry *entry = find(ctx, object);

	return entry ? entry->stored : NULL;
}

static int store_put(void *ctx, const struct object *object, json_t *status, struct err *err)
{
	struct kube_status *kube = ctx;
	struct entry *entry = find_or_add(kube, object);

	(void)err;
	if (status_equal(entry->call ? entry->sent : entry->stored, status)) {
		json_decref(TAKE_PTR(entry->wanted));
		return entry->call ? -EINPROGRESS : 0;
	}
	if (status_equal(entry->wanted, status))
		return -EINPROGRESS;
	json_decref(entry->wanted);
	entry->wanted = json_incref(status);
	if (!entry->call && !kube->closing && entry->due_ns <= now_boot_ns())
		send_status(entry);
	return -EINPROGRESS;
}

static void store_remove(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	struct entry **at = place(ctx, kind, ns, name);

	if (*at)
		forget(at);
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

void kube_status_learn(struct kube_status *kube, const struct object *object, const json_t *status)
{
	struct entry *entry = find(kube, object);

	if (entry || !json_is_object(status))
		return;
	entry = find_or_add(kube, object);
	entry->stored = json_deep_copy(status);
}

bool kube_status_ok(const struct kube_status *kube, struct err *ret_why)
{
	if (kube->failing.text[0])
		*ret_why = kube->failing;
	return !kube->failing.text[0];
}

/* --- life --- */

struct kube_status *kube_status_new(struct uv_loop_s *loop, struct kube_http *http,
				    void (*stored)(void *ctx), void *ctx, struct metrics *metrics)
{
	struct kube_status *kube = xcalloc(1, sizeof(*kube));

	kube->http = http;
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

void kube_status_close(struct kube_status *kube)
{
	if (!kube || kube->closing)
		return;
	kube->closing = true;
	while (kube->first)
		forget(&kube->first);
	uv_close((uv_handle_t *)&kube->timer, on_closed);
}
