/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/status/kube_notes.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "kube/http.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

struct kube_notes {
	struct kube_http *http;
	struct kube_events *events;
	struct kube_call *call; /* NULL = none is under way */
	uint64_t call_id;
	uv_timer_t timer;
	struct metric *dropped;
	bool closing;
};

static void pump(struct kube_notes *notes);

static void on_timer(uv_timer_t *timer)
{
	pump(timer->data);
}

static void on_done(void *ctx, const struct kube_answer *answer)
{
	struct kube_notes *notes = ctx;
	int code = answer->failure ? 0 : answer->code;

	notes->call = NULL;
	if (!kube_events_done(notes->events, notes->call_id, code, now_boot_ns())) {
		metric_add(notes->dropped, 1);
		log_debug("an event was not taken", LOG_INT("code", code));
	}
	pump(notes);
}

static void send_event(struct kube_notes *notes, const struct kube_event_call *call)
{
	const struct kube_request request = {
		.method = call->method,
		.path = call->path,
		.body = call->body,
		.body_len = strlen(call->body),
		.content_type = call->content_type,
		.done = on_done,
		.ctx = notes,
	};

	notes->call_id = call->id;
	notes->call = kube_http_send(notes->http, &request);
}

static void pump(struct kube_notes *notes)
{
	struct kube_event_call call = { 0 };
	int64_t now_ns = now_boot_ns(), wake_ns;

	if (notes->call || notes->closing)
		return;
	if (kube_events_next(notes->events, now_ns, &call)) {
		send_event(notes, &call);
		kube_event_call_release(&call);
		return;
	}
	wake_ns = kube_events_wake_ns(notes->events);
	if (wake_ns != INT64_MAX)
		uv_timer_start(&notes->timer, on_timer,
			       (uint64_t)(MAX(wake_ns - now_ns, 0) / NSEC_PER_MSEC + 1), 0);
}

void kube_notes_add(void *ctx, enum kube_event_what what, const struct object *object,
		    const char *text)
{
	struct kube_notes *notes = ctx;
	const struct kube_event_object regarding = {
		.api_version = PROFILING_API_VERSION,
		.kind = object_kind_name(object->kind),
		.ns = object->ns,
		.name = object->name,
		.uid = object->uid,
	};

	if (notes->closing)
		return;
	if (!kube_events_note(notes->events, what, &regarding, text, now_wall_ns(), now_boot_ns()))
		metric_add(notes->dropped, 1);
	/* Statuses of the same pass go first. */
	uv_timer_start(&notes->timer, on_timer, 1, 0);
}

struct kube_notes *kube_notes_new(struct uv_loop_s *loop, struct kube_http *http,
				  struct metrics *metrics)
{
	struct kube_notes *notes = xcalloc(1, sizeof(*notes));
	char host[HOST_NAME_MAX + 1] = "";

	if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
		snprintf(host, sizeof(host), "rubato-controller");
	notes->http = http;
	notes->events = kube_events_new(host);
	notes->dropped =
		metrics_counter(metrics, "rubato_controller_events_dropped_total",
				"Events that the Kubernetes API did not get.", METRIC_NO_LABELS);
	uv_timer_init(loop, &notes->timer);
	notes->timer.data = notes;
	return notes;
}

static void on_closed(uv_handle_t *handle)
{
	struct kube_notes *notes = handle->data;

	kube_events_free(notes->events);
	free(notes);
}

void kube_notes_close(struct kube_notes *notes)
{
	if (!notes || notes->closing)
		return;
	notes->closing = true;
	kube_call_cancel(notes->call);
	uv_close((uv_handle_t *)&notes->timer, on_closed);
}
