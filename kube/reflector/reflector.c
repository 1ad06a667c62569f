/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/reflector/reflector.h"

#include <errno.h>
#include <string.h>

#include "kube/reflector/reflector_priv.h"
#include "lib/core/limits.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#define TOLD_MAX 1000

/* --- objects --- */

/* Only once for each name, for a pod comes again with every change of its status. */
static void log_refused(struct kube_watch *watch, const char *ns, const char *name,
			const struct err *why)
{
	if (watch->told.nr == TOLD_MAX)
		key_set_reset(&watch->told, random_u64(), random_u64());
	if (key_set_has(&watch->told, ns ? ns : "", name))
		return;
	key_set_add(&watch->told, ns ? ns : "", name);
	log_warn("object cannot be used", LOG_STR("path", watch->resource->path),
		 LOG_STR("namespace", ns), LOG_STR("name", name), LOG_ERR(why));
}

static void refuse(struct kube_watch *watch, const json_t *json, const char *ns, const char *name,
		   const struct err *why)
{
	enum object_kind kind = watch->resource->kind;
	struct object *outline = NULL;

	metric_add(watch->refused, 1);
	if ((kind != OBJECT_POLICY && kind != OBJECT_CLUSTER_POLICY) ||
	    object_outline(json, kind, &outline) < 0) {
		log_refused(watch, ns, name, why);
		return;
	}
	watch->changed = true;
	watch->events->refuse(watch->ctx, outline, json_object_get(json, "status"), why->text);
}

static void put(struct kube_watch *watch, json_t *json)
{
	const json_t *metadata = json_object_get(json, "metadata");
	const char *ns = json_string_value(json_object_get(metadata, "namespace"));
	const char *name = json_string_value(json_object_get(metadata, "name"));
	struct object *object = NULL;
	struct err err = ERR_INIT;

	if (!name)
		return;
	/* One that is refused keeps its last good state. */
	if (watch->syncing)
		key_set_add(&watch->seen, ns ? ns : "", name);
	if (object_from_json(json, &object, &err) < 0) {
		refuse(watch, json, ns, name, &err);
		return;
	}
	if (object->kind != watch->resource->kind) {
		object_free(object);
		return;
	}
	metric_add(watch->objects, 1);
	watch->changed = true;
	watch->events->apply(watch->ctx, object, json_object_get(json, "status"));
	if (!watch->syncing)
		log_debug("object changed",
			  LOG_STR("kind", object_kind_name(watch->resource->kind)),
			  LOG_STR("namespace", ns), LOG_STR("name", name));
}

static void remove_one(struct kube_watch *watch, const json_t *json)
{
	const json_t *metadata = json_object_get(json, "metadata");
	const char *ns = json_string_value(json_object_get(metadata, "namespace"));
	const char *name = json_string_value(json_object_get(metadata, "name"));

	if (!name)
		return;
	watch->changed = true;
	watch->events->remove(watch->ctx, watch->resource->kind, ns ? ns : "", name);
}

/* Until all that did not come is removed, nothing further is read. */
static void commit(struct kube_watch *watch)
{
	watch->sweeping = true;
}

void kube_watch_swept(struct kube_watch *watch)
{
	watch->sweeping = false;
	sweep_at_release(&watch->swept);
	key_set_release(&watch->seen);
	watch->syncing = false;
	watch->changed = true;
	watch->last_err = (struct err)ERR_INIT;
	log_info("resource is in sync", LOG_STR("path", watch->resource->path),
		 LOG_STR("version", watch->state.version));
	watch->events->synced(watch->ctx, watch->resource->kind);
}

/* --- requests --- */

static void on_piece(void *ctx, const char *data, size_t len)
{
	struct kube_watch *watch = ctx;

	watch->told_why = NULL;
	if (watch->broken.text[0])
		return;
	if (watch->state.now == WATCH_ASK_LIST || watch->state.now == WATCH_ASK_VERSION)
		list_split_feed(&watch->split, data, len);
	else if (json_lines_feed(&watch->lines, data, len, &watch->broken) < 0)
		json_lines_reset(&watch->lines);
}

static void on_pieces(void *ctx)
{
	struct kube_watch *watch = ctx;

	if (!uv_is_active((uv_handle_t *)&watch->slice))
		kube_watch_drain(watch);
}

static void on_done(void *ctx, const struct kube_answer *answer)
{
	struct kube_watch *watch = ctx;

	watch->call_ns = kube_call_began(watch->call);
	watch->call = NULL;
	watch->over = true;
	watch->end = (struct watch_event){ .type = WATCH_ENDED };
	watch->end_err = answer->err;
	if (answer->failure) {
		watch->end.type = WATCH_FAILED;
		if (answer->failure == -ECONNREFUSED)
			watch->end.failure = WATCH_FAIL_CONNECT;
		if (answer->failure == -EPROTO)
			watch->end.failure = WATCH_FAIL_TLS;
	} else if (answer->code != 200) {
		watch->end.type = WATCH_REFUSED_HTTP;
		watch->end.status = watch_read_status(answer->code, answer->body, answer->len);
		watch->end.status.retry_after_ns =
			MAX(watch->end.status.retry_after_ns, answer->retry_after_ns);
		err_set(&watch->end_err, 0, "HTTP %d: %.300s", answer->code, answer->body);
	}
	on_pieces(watch);
}

static void send_request(struct kube_watch *watch)
{
	char query[WATCH_QUERY_MAX];
	cleanup(freep) char *path = NULL;
	struct kube_request request = {
		.method = "GET",
		.stream = true,
		.exempt = true,
		.gzip = watch->state.now == WATCH_ASK_LIST,
		.piece = on_piece,
		.pieces = on_pieces,
		.done = on_done,
		.ctx = watch,
	};

	json_lines_reset(&watch->lines);
	list_split_reset(&watch->split);
	watch_read_release(&watch->page);
	watch->broken = (struct err)ERR_INIT;
	watch->over = false;
	watch_query(&watch->state, query);
	path = xasprintf("%s?%s", watch->resource->path, query);
	request.path = path;
	if (watch->state.now == WATCH_ASK_LIST)
		metric_add(watch->lists, 1);
	log_debug("asking", LOG_STR("path", path));
	watch->call = kube_http_send(watch->http, &request);
}

static void on_timer(uv_timer_t *timer)
{
	struct kube_watch *watch = timer->data;
	const struct watch_event event = {
		.type = watch->state.now == WATCH_ASK_NOTHING ? WATCH_START : WATCH_DEADLINE,
	};

	kube_watch_step(watch, &event, NULL);
}

static void arm(struct kube_watch *watch, int64_t wait_ns)
{
	uv_timer_start(&watch->timer, on_timer, (uint64_t)(wait_ns / NSEC_PER_MSEC + 1), 0);
}

/* --- a step --- */

static void cancel(struct kube_watch *watch)
{
	kube_call_cancel(TAKE_PTR(watch->call));
	uv_timer_stop(&watch->timer);
	uv_idle_stop(&watch->slice);
	watch->over = false;
	json_lines_reset(&watch->lines);
	list_split_reset(&watch->split);
}

static void tell(struct kube_watch *watch, const struct watch_do *todo)
{
	if (!todo->why)
		return;
	metric_add(watch->errors, 1);
	watch->last_err = watch->end_err;
	if (todo->why == watch->told_why)
		return;
	watch->told_why = todo->why;
	log_info("watch goes on otherwise", LOG_STR("path", watch->resource->path),
		 LOG_STR("why", todo->why),
		 LOG_REAL("wait_s", (double)todo->wait_ns / NSEC_PER_SEC),
		 LOG_STR("said", watch->end_err.text));
}

/* What a step says, in its order.  `object` is that of the event. */
static void act(struct kube_watch *watch, const struct watch_do *todo, json_t *object)
{
	tell(watch, todo);
	if (todo->cancel)
		cancel(watch);
	if (todo->put && object)
		put(watch, object);
	if (todo->remove && object)
		remove_one(watch, object);
	if (todo->commit)
		commit(watch);
	if (todo->begin) {
		watch->sweeping = false;
		sweep_at_release(&watch->swept);
		key_set_reset(&watch->seen, random_u64(), random_u64());
		watch->syncing = true;
	}
	if (todo->drop_token)
		kube_http_refused(watch->http, watch->call_ns);
	if (todo->ask != WATCH_ASK_NOTHING) {
		arm(watch, todo->deadline_ns);
		send_request(watch);
	}
	if (todo->wait_ns)
		arm(watch, todo->wait_ns);
	if (watch->sweeping)
		kube_watch_go_on(watch);
	watch->end_err = (struct err)ERR_INIT;
}

void kube_watch_step(struct kube_watch *watch, const struct watch_event *event, json_t *object)
{
	struct watch_do todo;

	todo = watch_step(&watch->state, event, now_boot_ns(), random_u64());
	act(watch, &todo, object);
}

/* --- life --- */

bool kube_watch_synced(const struct kube_watch *watch)
{
	return watch->state.synced && !watch->sweeping;
}

bool kube_watch_ok(const struct kube_watch *watch, struct err *ret_why)
{
	const char *path = watch->resource->path;

	if (watch->state.forbidden)
		err_set(ret_why, -EACCES, "%s: forbidden; the ClusterRole lacks list or watch",
			path);
	else if (watch->state.missing)
		err_set(ret_why, -ENOENT,
			"%s: not known to the API server; are the CRDs installed?", path);
	else if (!watch->state.synced)
		err_set(ret_why, -EAGAIN, "%s: is being read%s%s", path,
			watch->last_err.text[0] ? "; " : "", watch->last_err.text);
	else
		return true;
	return false;
}

static void make_metrics(struct kube_watch *watch, struct metrics *m)
{
	const char *kind = object_kind_name(watch->resource->kind);

	watch->objects =
		metrics_counter(m, "rubato_controller_watch_objects_total",
				"Objects that the API server sent.", METRIC_LABELS("kind", kind));
	watch->refused =
		metrics_counter(m, "rubato_controller_watch_refused_total",
				"Objects that cannot be used.", METRIC_LABELS("kind", kind));
	watch->lists = metrics_counter(m, "rubato_controller_watch_lists_total",
				       "LIST requests, pages too.", METRIC_LABELS("kind", kind));
	watch->errors = metrics_counter(m, "rubato_controller_watch_errors_total",
					"Watches and lists that did not go as they should.",
					METRIC_LABELS("kind", kind));
}

struct kube_watch *kube_watch_new(struct uv_loop_s *loop, struct kube_http *http,
				  const struct kube_watch_resource *resource,
				  const struct kube_watch_events *events, void *ctx,
				  struct metrics *metrics)
{
	struct kube_watch *watch = xcalloc(1, sizeof(*watch));

	watch->http = http;
	watch->resource = resource;
	watch->events = events;
	watch->ctx = ctx;
	key_set_reset(&watch->told, random_u64(), random_u64());
	watch_init(&watch->state);
	json_lines_init(&watch->lines, LIMIT_KUBE_OBJECT_BYTES);
	list_split_init(&watch->split, LIMIT_KUBE_OBJECT_BYTES);
	make_metrics(watch, metrics);
	uv_timer_init(loop, &watch->timer);
	uv_idle_init(loop, &watch->slice);
	watch->timer.data = watch->slice.data = watch;
	watch->open_handles = 2;
	arm(watch, 0);
	return watch;
}

void kube_watch_set_timeout(struct kube_watch *watch, int64_t timeout_s)
{
	watch->state.timeout_min_s = timeout_s;
}

static void on_closed(uv_handle_t *handle)
{
	struct kube_watch *watch = handle->data;

	if (--watch->open_handles)
		return;
	json_lines_release(&watch->lines);
	list_split_release(&watch->split);
	watch_read_release(&watch->page);
	sweep_at_release(&watch->swept);
	key_set_release(&watch->seen);
	key_set_release(&watch->told);
	free(watch);
}

void kube_watch_close(struct kube_watch *watch)
{
	if (!watch || watch->closing)
		return;
	watch->closing = true;
	cancel(watch);
	uv_close((uv_handle_t *)&watch->timer, on_closed);
	uv_close((uv_handle_t *)&watch->slice, on_closed);
}
