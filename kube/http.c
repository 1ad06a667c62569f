/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#include "kube/auth.h"
#include "kube/call.h"
#include "kube/core/config/proxy.h"
#include "lib/core/limits.h"
#include "lib/curl_loop.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#define TRIES_MAX 10
#define RETRY_FIRST_NS NSEC_PER_SEC
#define RETRY_LAST_NS (60 * NSEC_PER_SEC)
#define TOKENS_A_SECOND 20
#define TOKENS_MAX 40

struct kube_http {
	struct kube_auth *auth;
	struct curl_loop *curl;
	char *proxy; /* NULL = none */
	struct kube_call *first;
	uv_timer_t timer;
	double tokens;
	int64_t tokens_ns;
	struct kube_warnings warnings;
	const char *user_agent;
	struct metric *answers, *failures;
	bool closing;
};

/* --- the list of calls --- */

static void unlink_call(struct kube_http *http, struct kube_call *call)
{
	struct kube_call **at = &http->first;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
}

static void end_transfer(struct kube_call *call)
{
	if (call->running)
		curl_multi_remove_handle(curl_loop_multi(call->http->curl), call->easy);
	call->running = false;
	kube_call_reset(call);
}

static void drop(struct kube_call *call)
{
	end_transfer(call);
	unlink_call(call->http, call);
	kube_call_free(call);
}

void kube_call_cancel(struct kube_call *call)
{
	if (call)
		drop(call);
}

/* --- when a call may begin --- */

static bool take_token(struct kube_http *http, int64_t now_ns)
{
	double more = (double)(now_ns - http->tokens_ns) / NSEC_PER_SEC * TOKENS_A_SECOND;

	http->tokens = MIN(http->tokens + more, TOKENS_MAX);
	http->tokens_ns = now_ns;
	if (http->tokens < 1)
		return false;
	http->tokens -= 1;
	return true;
}

static void tell(struct kube_call *call, struct kube_answer *answer)
{
	void (*done)(void *, const struct kube_answer *) = call->request.done;
	void *ctx = call->request.ctx;
	struct kube_http *http = call->http;
	struct metric *counter = answer->failure ? http->failures : http->answers;

	/* The body belongs to the call, which is void for the callee; it lives a little longer. */
	if (call->running)
		curl_multi_remove_handle(curl_loop_multi(http->curl), call->easy);
	call->running = false;
	unlink_call(http, call);
	if (counter)
		metric_add(counter, 1);
	done(ctx, answer);
	kube_call_free(call);
}

/* Begin what may begin; returns when to look again, or INT64_MAX. */
static int64_t begin_due(struct kube_http *http)
{
	const struct kube_way way = { http->auth, http->proxy, http->user_agent };
	struct kube_answer answer = { 0 };
	int64_t now_ns = now_boot_ns(), next_ns = INT64_MAX;
	int r = kube_auth_ready(http->auth, &answer.err);

	if (r == -EAGAIN)
		return INT64_MAX;
	for (struct kube_call *call = http->first; call; call = call->next) {
		if (call->running || call->over)
			continue;
		if (call->due_ns > now_ns) {
			next_ns = MIN(next_ns, call->due_ns);
			continue;
		}
		if (r < 0) {
			answer.failure = r;
			tell(call, &answer);
			return now_ns;
		}
		if (!call->request.exempt && !take_token(http, now_ns)) {
			next_ns = MIN(next_ns, now_ns + NSEC_PER_SEC / TOKENS_A_SECOND);
			continue;
		}
		kube_call_setup(call, &way, now_ns);
		call->running = true;
		curl_multi_add_handle(curl_loop_multi(http->curl), call->easy);
	}
	return next_ns;
}

static void on_timer(uv_timer_t *timer);

static void arm(struct kube_http *http, int64_t at_ns)
{
	int64_t wait_ms = (at_ns - now_boot_ns() + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;

	if (at_ns == INT64_MAX)
		uv_timer_stop(&http->timer);
	else
		uv_timer_start(&http->timer, on_timer, (uint64_t)MAX(wait_ms, 0), 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct kube_http *http = timer->data;

	if (!http->closing)
		arm(http, begin_due(http));
}

static void on_auth_changed(void *ctx)
{
	struct kube_http *http = ctx;

	if (!http->closing)
		arm(http, 0);
}

/* --- what comes --- */

/* Shall a unary request be tried again?  Then its time is set. */
static bool retry(struct kube_call *call, const struct kube_answer *answer)
{
	int64_t wait_ns = RETRY_FIRST_NS;

	if (call->request.stream || answer->failure)
		return false;
	if (answer->code == 401 && !call->reauthorized) {
		call->reauthorized = true;
		kube_auth_refused(call->http->auth, call->began_ns);
		call->due_ns = 0;
		return true;
	}
	if ((answer->code != 429 && answer->code < 500) || !answer->retry_after_ns ||
	    call->tries >= TRIES_MAX)
		return false;
	for (int i = 1; i < call->tries; i++)
		wait_ns = MIN(2 * wait_ns, RETRY_LAST_NS);
	call->due_ns = now_boot_ns() + MAX(wait_ns, answer->retry_after_ns);
	return true;
}

static void finish(struct kube_call *call, CURLcode result)
{
	struct kube_http *http = call->http;
	struct kube_answer answer = { 0 };

	kube_call_answer(call, result, &answer);
	kube_warnings_log(&http->warnings, call);
	if (answer.failure)
		kube_auth_reload(http->auth);
	if (retry(call, &answer)) {
		end_transfer(call);
		arm(http, 0);
		return;
	}
	call->over = true;
	tell(call, &answer);
}

/* One call of which pieces have come, or NULL. */
static struct kube_call *with_pieces(struct kube_http *http)
{
	for (struct kube_call *call = http->first; call; call = call->next)
		if (call->has_pieces)
			return call;
	return NULL;
}

static void on_turn(void *ctx)
{
	struct kube_http *http = ctx;
	struct kube_call *call;
	CURLMsg *message;
	int left;

	/* Whoever is told may send and cancel: look anew each time. */
	while (!http->closing && (call = with_pieces(http))) {
		call->has_pieces = false;
		call->request.pieces(call->request.ctx);
	}
	while (!http->closing &&
	       (message = curl_multi_info_read(curl_loop_multi(http->curl), &left))) {
		char *of = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &of);
		finish((struct kube_call *)of, message->data.result);
	}
}

/* --- calls --- */

struct kube_call *kube_http_send(struct kube_http *http, const struct kube_request *request)
{
	struct kube_call *call = kube_call_new(http, request);
	struct kube_call **at = &http->first;

	while (*at)
		at = &(*at)->next;
	*at = call;
	arm(http, 0);
	return call;
}

void kube_call_pause(struct kube_call *call, bool pause)
{
	if (call->running && call->paused != pause)
		curl_easy_pause(call->easy, pause ? CURLPAUSE_RECV : CURLPAUSE_CONT);
	call->paused = pause;
}

int64_t kube_call_began(const struct kube_call *call)
{
	return call->began_ns;
}

void kube_http_refused(struct kube_http *http, int64_t began_ns)
{
	kube_auth_refused(http->auth, began_ns);
}

const char *kube_http_proxy(const struct kube_http *http)
{
	return http->proxy;
}

const struct kube_config *kube_http_config(const struct kube_http *http)
{
	return kube_auth_config(http->auth);
}

/* --- life --- */

static const char *either_env(const char *great, const char *small)
{
	const char *value = getenv(great);

	return value && value[0] ? value : getenv(small);
}

static char *find_proxy(const struct kube_config *config)
{
	const struct kube_proxy_env env = {
		.https = either_env("HTTPS_PROXY", "https_proxy"),
		.http = either_env("HTTP_PROXY", "http_proxy"),
		.no = either_env("NO_PROXY", "no_proxy"),
	};

	return kube_proxy_find(config, &env);
}

int kube_http_new(struct uv_loop_s *loop, const struct kube_http_options *options,
		  struct kube_http **ret_http, struct err *err)
{
	struct kube_http *http = xcalloc(1, sizeof(*http));
	int r = kube_auth_new(loop, options->config, on_auth_changed, http, &http->auth, err);

	if (r < 0) {
		free(http);
		return r;
	}
	/* Counted by libcurl: whoever else uses it is not disturbed. */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	http->curl = curl_loop_new(loop, on_turn, http);
	http->proxy = find_proxy(kube_auth_config(http->auth));
	http->tokens = TOKENS_MAX;
	http->tokens_ns = now_boot_ns();
	http->user_agent = options->user_agent;
	http->answers = options->answers;
	http->failures = options->failures;
	uv_timer_init(loop, &http->timer);
	http->timer.data = http;
	*ret_http = http;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void kube_http_close(struct kube_http *http)
{
	if (!http || http->closing)
		return;
	http->closing = true;
	while (http->first)
		drop(http->first);
	curl_loop_close(http->curl);
	kube_auth_close(http->auth);
	kube_warnings_release(&http->warnings);
	free(http->proxy);
	uv_close((uv_handle_t *)&http->timer, on_closed);
}
