/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/kube_status.h"

#include <errno.h>
#include <search.h>
#include <string.h>
#include <sys/queue.h>
#include <uv.h>

#include "controller/status.h"
#include "lib/backoff.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/metrics.h"

#define RETRY_FIRST_NS NSEC_PER_SEC
#define RETRY_LAST_NS (30 * NSEC_PER_SEC)
#define RETRY_GRID_NS (100 * NSEC_PER_MSEC)   /* thousands that fail are tried again together */
#define UNANSWERED_LAST_NS (4 * NSEC_PER_SEC) /* when nobody listens, which burdens nobody */

struct kept {
	struct kube_status *kube;
	enum object_kind kind;
	char *ns, *name, *uid;
	json_t *stored; /* NULL = none */
	json_t *wanted; /* not sent yet; NULL = nothing */
	json_t *sent;	/* on its way */
	struct kube_call *call;
	struct backoff backoff;
	int64_t due_ns;	 /* of the next try */
	bool is_waiting; /* in the list of those that are */
	LIST_ENTRY(kept) waiting;
};

struct kube_status {
	struct kube_http *http;
	void *entries; /* tsearch(3) */
	LIST_HEAD(, kept) waiting;
	uv_timer_t timer;
	int64_t timer_ns; /* when it fires, while it is active */
	void (*stored)(void *ctx, enum object_kind kind, const char *ns, const char *name);
	void *ctx;
	struct err failing; /* why; "" = it works */
	struct metric *writes, *failures;
	bool closing;
};

/* --- entries --- */

static int by_name(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;
	int r = (x->kind > y->kind) - (x->kind < y->kind);

	if (r == 0)
		r = strcmp(x->ns, y->ns);
	return r ? r : strcmp(x->name, y->name);
}

static struct kept *lookup(const struct kube_status *kube, enum object_kind kind, const char *ns,
			   const char *name)
{
	const struct kept wanted = { .kind = kind, .ns = (char *)ns, .name = (char *)name };
	struct kept *const *found = tfind(&wanted, &kube->entries, by_name);

	return found ? *found : NULL;
}

static void stop_waiting(struct kept *entry)
{
	if (entry->is_waiting)
		LIST_REMOVE(entry, waiting);
	entry->is_waiting = false;
}

static void entry_free(void *ptr)
{
	struct kept *entry = ptr;

	stop_waiting(entry);
	kube_call_cancel(entry->call);
	json_decref(entry->stored);
	json_decref(entry->wanted);
	json_decref(entry->sent);
	free(entry->ns);
	free(entry->name);
	free(entry->uid);
	free(entry);
}

static void forget(struct kept *entry)
{
	tdelete(entry, &entry->kube->entries, by_name);
	entry_free(entry);
}

/* The entry of this very object; one of an earlier object of its name goes. */
static struct kept *find(struct kube_status *kube, const struct object *object)
{
	struct kept *entry = lookup(kube, object->kind, object->ns, object->name);

	if (entry && strcmp(entry->uid, object->uid) != 0) {
		forget(entry);
		return NULL;
	}
	return entry;
}

static struct kept *find_or_add(struct kube_status *kube, const struct object *object)
{
	struct kept *entry = find(kube, object);

	if (entry)
		return entry;
	entry = xcalloc(1, sizeof(*entry));
	entry->kube = kube;
	entry->kind = object->kind;
	entry->ns = xstrdup(object->ns);
	entry->name = xstrdup(object->name);
	entry->uid = xstrdup(object->uid);
	entry->backoff.base_ns = RETRY_FIRST_NS;
	if (!tsearch(entry, &kube->entries, by_name))
		abort();
	return entry;
}

/* --- writing --- */

static char *path_of(const struct kept *entry)
{
	static const char query[] = "/status?fieldManager=" KUBE_FIELD_MANAGER "&force=true";

	if (entry->kind == OBJECT_CLUSTER_POLICY)
		return xasprintf("/apis/%s/clusterprofilingpolicies/%s%s", PROFILING_API_VERSION,
				 entry->name, query);
	return xasprintf("/apis/%s/namespaces/%s/profilingpolicies/%s%s", PROFILING_API_VERSION,
			 entry->ns, entry->name, query);
}

/* The uid makes the write fail rather than create, when the object has gone meanwhile. */
static char *body_of(const struct kept *entry, json_t *status)
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

static void send_status(struct kept *entry)
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

static void on_timer(uv_timer_t *timer);

static void arm(struct kube_status *kube, int64_t at_ns)
{
	if (uv_is_active((uv_handle_t *)&kube->timer) && kube->timer_ns <= at_ns)
		return;
	kube->timer_ns = at_ns;
	uv_timer_start(&kube->timer, on_timer,
		       (uint64_t)(MAX(at_ns - now_boot_ns(), 0) / NSEC_PER_MSEC + 1), 0);
}

/* Send what is wanted now, or when its next try is due. */
static void send_or_wait(struct kept *entry)
{
	if (!entry->wanted || entry->call || entry->kube->closing)
		return;
	if (entry->due_ns <= now_boot_ns()) {
		stop_waiting(entry);
		send_status(entry);
		return;
	}
	if (!entry->is_waiting)
		LIST_INSERT_HEAD(&entry->kube->waiting, entry, waiting);
	entry->is_waiting = true;
	arm(entry->kube, entry->due_ns);
}

static void on_timer(uv_timer_t *timer)
{
	struct kube_status *kube = timer->data;
	struct kept *entry = LIST_FIRST(&kube->waiting);

	while (entry) {
		struct kept *next = LIST_NEXT(entry, waiting);

		if (!entry->wanted)
			stop_waiting(entry);
		else
			send_or_wait(entry);
		entry = next;
	}
}

static void on_failed(struct kept *entry, const struct kube_answer *answer)
{
	struct kube_status *kube = entry->kube;
	int64_t now_ns = now_boot_ns(), due_ns;
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
	due_ns = now_ns + backoff_next(&entry->backoff, now_ns, random_u64());
	entry->due_ns = due_ns + RETRY_GRID_NS - due_ns % RETRY_GRID_NS;
	if (!entry->wanted)
		entry->wanted = TAKE_PTR(entry->sent);
}

static void on_good(struct kept *entry)
{
	struct kube_status *kube = entry->kube;

	json_decref(entry->stored);
	entry->stored = TAKE_PTR(entry->sent);
	entry->due_ns = 0;
	backoff_reset(&entry->backoff);
	if (kube->failing.text[0])
		log_info("status can be written again");
	kube->failing = (struct err)ERR_INIT;
}

static void on_done(void *ctx, const struct kube_answer *answer)
{
	struct kept *entry = ctx;
	struct kube_status *kube = entry->kube;
	bool good = !answer->failure && answer->code == 200;
	bool gone = !answer->failure && (answer->code == 404 || answer->code == 409);

	entry->call = NULL;
	if (good)
		on_good(entry);
	else if (!gone)
		on_failed(entry, answer);
	json_decref(TAKE_PTR(entry->sent));
	send_or_wait(entry);
	if (good)
		kube->stored(kube->ctx, entry->kind, entry->ns, entry->name);
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
	const struct kept *entry = find(ctx, object);

	return entry ? entry->stored : NULL;
}

static int store_put(void *ctx, const struct object *object, json_t *status, struct err *err)
{
	struct kube_status *kube = ctx;
	struct kept *entry = find_or_add(kube, object);

	(void)err;
	if (status_equal(entry->call ? entry->sent : entry->stored, status)) {
		json_decref(TAKE_PTR(entry->wanted));
		return entry->call ? -EINPROGRESS : 0;
	}
	if (status_equal(entry->wanted, status))
		return -EINPROGRESS;
	json_decref(entry->wanted);
	entry->wanted = json_incref(status);
	send_or_wait(entry);
	return -EINPROGRESS;
}

static void store_remove(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	struct kept *entry = lookup(ctx, kind, ns, name);

	if (entry)
		forget(entry);
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
	struct kept *entry = find(kube, object);

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
				    void (*stored)(void *ctx, enum object_kind kind, const char *ns,
						   const char *name),
				    void *ctx, struct metrics *metrics)
{
	struct kube_status *kube = xcalloc(1, sizeof(*kube));

	kube->http = http;
	LIST_INIT(&kube->waiting);
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
	tdestroy(TAKE_PTR(kube->entries), entry_free);
	uv_close((uv_handle_t *)&kube->timer, on_closed);
}
