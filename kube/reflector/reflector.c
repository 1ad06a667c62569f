/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/reflector/reflector.h"

#include <errno.h>
#include <string.h>

#include "kube/reflector/reflector_priv.h"
#include "lib/core/limits.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

/* --- objects --- */

static const char *text_of(const json_t *metadata, const char *key)
{
	const char *text = json_string_value(json_object_get(metadata, key));

	return text ? text : "";
}

static void put(struct reflector *reflector, const struct watch_read *read)
{
	const struct reflector_events *events = reflector->options.events;
	const json_t *metadata = json_object_get(read->object, "metadata");
	const char *ns = text_of(metadata, "namespace"), *name = text_of(metadata, "name");

	if (!name[0])
		return;
	/* Also one that cannot be used: it is there. */
	if (reflector->syncing)
		key_set_add(&reflector->seen, ns, name);
	reflector->changed = true;
	if (!read->aside)
		events->put(reflector->options.ctx, read->object);
	else if (events->set_aside)
		events->set_aside(reflector->options.ctx, read->object, read->aside);
	if (!reflector->syncing)
		log_debug("object changed", LOG_STR("kind", reflector->options.resource->kind),
			  LOG_STR("namespace", ns), LOG_STR("name", name));
}

static void remove_one(struct reflector *reflector, const json_t *object)
{
	const json_t *metadata = json_object_get(object, "metadata");
	const char *name = text_of(metadata, "name");

	if (!name[0])
		return;
	reflector->changed = true;
	reflector->options.events->remove(reflector->options.ctx, text_of(metadata, "namespace"),
					  name);
}

/* Until all that did not come is removed, nothing further is read. */
static void commit(struct reflector *reflector)
{
	reflector->sweeping = true;
	reflector->swept_some = false;
}

void reflector_swept(struct reflector *reflector)
{
	reflector->sweeping = false;
	key_set_release(&reflector->seen);
	reflector->syncing = false;
	reflector->changed = true;
	reflector->last_err = (struct err)ERR_INIT;
	log_info("resource is in sync", LOG_STR("path", reflector->options.resource->path),
		 LOG_STR("version", reflector->state.resource_version));
	if (reflector->options.events->synced)
		reflector->options.events->synced(reflector->options.ctx);
}

static void count(struct metric *metric)
{
	if (metric)
		metric_add(metric, 1);
}

/* --- requests --- */

static void on_piece(void *ctx, const char *data, size_t len)
{
	struct reflector *reflector = ctx;

	reflector->told_why = NULL;
	if (reflector->state.now == WATCH_ASK_LIST || reflector->state.now == WATCH_ASK_VERSION)
		list_split_feed(&reflector->split, data, len);
	else
		json_lines_feed(&reflector->lines, data, len);
}

static void on_pieces(void *ctx)
{
	struct reflector *reflector = ctx;

	if (!uv_is_active((uv_handle_t *)&reflector->slice))
		reflector_drain(reflector);
}

static void on_done(void *ctx, const struct kube_answer *answer)
{
	struct reflector *reflector = ctx;

	reflector->call_ns = kube_call_began(reflector->call);
	reflector->call = NULL;
	reflector->over = true;
	reflector->end = (struct watch_event){ .type = WATCH_ENDED };
	reflector->end_err = answer->err;
	if (answer->failure) {
		reflector->end.type = WATCH_FAILED;
		if (answer->failure == -ECONNREFUSED)
			reflector->end.failure = WATCH_FAIL_CONNECT;
		if (answer->failure == -EPROTO)
			reflector->end.failure = WATCH_FAIL_TLS;
	} else if (answer->code != 200) {
		reflector->end.type = WATCH_REFUSED_HTTP;
		reflector->end.status = watch_read_status(answer->code, answer->body, answer->len);
		reflector->end.status.retry_after_ns =
			MAX(reflector->end.status.retry_after_ns, answer->retry_after_ns);
		err_set(&reflector->end_err, 0, "HTTP %d: %.300s", answer->code, answer->body);
	}
	on_pieces(reflector);
}

static void send_request(struct reflector *reflector)
{
	char query[WATCH_QUERY_MAX];
	cleanup(freep) char *path = NULL;
	struct kube_request request = {
		.method = "GET",
		.stream = true,
		.exempt = true,
		.gzip = reflector->state.now == WATCH_ASK_LIST,
		.piece = on_piece,
		.pieces = on_pieces,
		.done = on_done,
		.ctx = reflector,
	};

	json_lines_reset(&reflector->lines);
	list_split_reset(&reflector->split);
	watch_read_release(&reflector->page);
	reflector->over = false;
	watch_query(&reflector->state, query);
	path = xasprintf("%s?%s", reflector->options.resource->path, query);
	request.path = path;
	if (reflector->state.now == WATCH_ASK_LIST)
		count(reflector->options.lists);
	log_debug("asking", LOG_STR("path", path));
	reflector->call = kube_http_send(reflector->options.http, &request);
}

static void on_timer(uv_timer_t *timer)
{
	struct reflector *reflector = timer->data;
	const struct watch_event event = {
		.type = reflector->state.now == WATCH_ASK_NOTHING ? WATCH_START : WATCH_DEADLINE,
	};

	reflector_step(reflector, &event, NULL);
}

static void arm(struct reflector *reflector, int64_t wait_ns)
{
	uv_timer_start(&reflector->timer, on_timer, (uint64_t)(wait_ns / NSEC_PER_MSEC + 1), 0);
}

/* --- a step --- */

static void cancel(struct reflector *reflector)
{
	kube_call_cancel(TAKE_PTR(reflector->call));
	uv_timer_stop(&reflector->timer);
	uv_idle_stop(&reflector->slice);
	reflector->over = false;
	json_lines_reset(&reflector->lines);
	list_split_reset(&reflector->split);
}

static void tell(struct reflector *reflector, const struct watch_do *todo)
{
	if (!todo->why)
		return;
	count(reflector->options.errors);
	reflector->last_err = reflector->end_err;
	if (todo->why == reflector->told_why)
		return;
	reflector->told_why = todo->why;
	log_info("watch goes on otherwise", LOG_STR("path", reflector->options.resource->path),
		 LOG_STR("why", todo->why),
		 LOG_REAL("wait_s", (double)todo->wait_ns / NSEC_PER_SEC),
		 LOG_STR("said", reflector->end_err.text));
}

/* What a step says, in its order.  `read` is what came, or NULL. */
static void act(struct reflector *reflector, const struct watch_do *todo,
		const struct watch_read *read)
{
	tell(reflector, todo);
	if (todo->cancel)
		cancel(reflector);
	if (todo->put && read && read->object)
		put(reflector, read);
	if (todo->remove && read && read->object)
		remove_one(reflector, read->object);
	if (todo->commit)
		commit(reflector);
	if (todo->begin) {
		reflector->sweeping = false;
		key_set_reset(&reflector->seen, random_u64(), random_u64());
		reflector->syncing = true;
	}
	if (todo->drop_token)
		kube_http_refused(reflector->options.http, reflector->call_ns);
	if (todo->ask != WATCH_ASK_NOTHING) {
		arm(reflector, todo->deadline_ns);
		send_request(reflector);
	}
	if (todo->wait_ns)
		arm(reflector, todo->wait_ns);
	if (reflector->sweeping)
		reflector_go_on(reflector);
	reflector->end_err = (struct err)ERR_INIT;
}

void reflector_step(struct reflector *reflector, const struct watch_event *event,
		    const struct watch_read *read)
{
	struct watch_do todo;

	todo = watch_step(&reflector->state, event, now_boot_ns(), random_u64());
	act(reflector, &todo, read);
}

/* --- life --- */

bool reflector_synced(const struct reflector *reflector)
{
	return reflector->state.synced && !reflector->sweeping;
}

static bool blame(struct err *ret_why, int code, const char *path, const char *what,
		  const char *hint)
{
	err_set(ret_why, code, "%s: %s%s%s", path, what, hint ? "; " : "", hint ? hint : "");
	return false;
}

bool reflector_ok(const struct reflector *reflector, struct err *ret_why)
{
	const struct reflector_resource *resource = reflector->options.resource;
	const char *last = reflector->last_err.text;

	if (reflector->state.forbidden)
		return blame(ret_why, -EACCES, resource->path, "forbidden",
			     resource->forbidden_hint);
	if (reflector->state.missing)
		return blame(ret_why, -ENOENT, resource->path, "not known to the API server",
			     resource->missing_hint);
	if (!reflector->state.synced)
		return blame(ret_why, -EAGAIN, resource->path, "is being read",
			     last[0] ? last : NULL);
	return true;
}

struct reflector *reflector_new(struct uv_loop_s *loop, const struct reflector_options *options)
{
	struct reflector *reflector = xcalloc(1, sizeof(*reflector));

	reflector->options = *options;
	watch_init(&reflector->state);
	if (options->timeout_s)
		reflector->state.timeout_min_s = options->timeout_s;
	json_lines_init(&reflector->lines, LIMIT_KUBE_OBJECT_BYTES);
	list_split_init(&reflector->split, LIMIT_KUBE_OBJECT_BYTES);
	uv_timer_init(loop, &reflector->timer);
	uv_idle_init(loop, &reflector->slice);
	reflector->timer.data = reflector->slice.data = reflector;
	reflector->open_handles = 2;
	arm(reflector, 0);
	return reflector;
}

static void on_closed(uv_handle_t *handle)
{
	struct reflector *reflector = handle->data;

	if (--reflector->open_handles)
		return;
	json_lines_release(&reflector->lines);
	list_split_release(&reflector->split);
	watch_read_release(&reflector->page);
	key_set_release(&reflector->seen);
	free(reflector);
}

void reflector_close(struct reflector *reflector)
{
	if (!reflector || reflector->closing)
		return;
	reflector->closing = true;
	cancel(reflector);
	uv_close((uv_handle_t *)&reflector->timer, on_closed);
	uv_close((uv_handle_t *)&reflector->slice, on_closed);
}
