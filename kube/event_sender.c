/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/event_sender.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "kube/http.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

struct event_sender {
	struct kube_http *http;
	struct event_recorder *recorder;
	struct kube_call *call; /* NULL = none is under way */
	uint64_t call_id;
	uv_timer_t timer;
	int64_t pause_ns, not_before_ns;
	struct metric *dropped;
	bool closing;
};

static void count_dropped(struct event_sender *sender)
{
	if (sender->dropped)
		metric_add(sender->dropped, 1);
}

static void pump(struct event_sender *sender);

static void on_timer(uv_timer_t *timer)
{
	pump(timer->data);
}

static void on_done(void *ctx, const struct kube_answer *answer)
{
	struct event_sender *sender = ctx;
	int code = answer->failure ? 0 : answer->code;

	sender->call = NULL;
	sender->not_before_ns = now_boot_ns() + sender->pause_ns;
	if (!event_recorder_done(sender->recorder, sender->call_id, code, now_boot_ns())) {
		count_dropped(sender);
		log_debug("an event was not taken", LOG_INT("code", code));
	}
	pump(sender);
}

static void send_event(struct event_sender *sender, const struct event_request *call)
{
	const struct kube_request request = {
		.method = call->method,
		.path = call->path,
		.body = call->body,
		.body_len = strlen(call->body),
		.content_type = call->content_type,
		.done = on_done,
		.ctx = sender,
	};

	sender->call_id = call->id;
	sender->call = kube_http_send(sender->http, &request);
}

static void pump(struct event_sender *sender)
{
	struct event_request call = { 0 };
	int64_t now_ns = now_boot_ns(), wake_ns;

	if (sender->call || sender->closing)
		return;
	if (now_ns >= sender->not_before_ns &&
	    event_recorder_next(sender->recorder, now_ns, &call)) {
		send_event(sender, &call);
		event_request_release(&call);
		return;
	}
	wake_ns = event_recorder_wake_ns(sender->recorder);
	if (wake_ns != INT64_MAX)
		wake_ns = MAX(wake_ns, sender->not_before_ns);
	if (wake_ns != INT64_MAX)
		uv_timer_start(&sender->timer, on_timer,
			       (uint64_t)(MAX(wake_ns - now_ns, 0) / NSEC_PER_MSEC + 1), 0);
}

void event_sender_tell(struct event_sender *sender, const struct event_reason *reason,
		       const struct event_object *regarding, const char *text)
{
	if (sender->closing)
		return;
	if (!event_recorder_note(sender->recorder, reason, regarding, text, now_wall_ns(),
				 now_boot_ns()))
		count_dropped(sender);
	uv_timer_start(&sender->timer, on_timer, 1, 0);
}

struct event_sender *event_sender_new(struct uv_loop_s *loop,
				      const struct event_sender_options *options)
{
	struct event_sender *sender = xcalloc(1, sizeof(*sender));
	char host[HOST_NAME_MAX + 1] = "";

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	sender->http = options->http;
	sender->recorder =
		event_recorder_new(options->controller, host[0] ? host : options->controller);
	sender->dropped = options->dropped;
	sender->pause_ns = options->pause_ns;
	uv_timer_init(loop, &sender->timer);
	sender->timer.data = sender;
	return sender;
}

static void on_closed(uv_handle_t *handle)
{
	struct event_sender *sender = handle->data;

	event_recorder_free(sender->recorder);
	free(sender);
}

void event_sender_close(struct event_sender *sender)
{
	if (!sender || sender->closing)
		return;
	sender->closing = true;
	kube_call_cancel(sender->call);
	uv_close((uv_handle_t *)&sender->timer, on_closed);
}
