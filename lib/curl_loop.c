/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/curl_loop.h"

#include <uv.h>

struct curl_loop {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;
	/* In place of a timer of 0, which would fire in the same turn again and again. */
	uv_idle_t soon;
	void (*turn)(void *ctx);
	void *ctx;
};

struct watched {
	uv_poll_t poll;
	curl_socket_t fd;
	struct curl_loop *curl;
};

static void work(struct curl_loop *curl, curl_socket_t fd, int flags)
{
	int running;

	curl_multi_socket_action(curl->multi, fd, flags, &running);
	if (curl->turn)
		curl->turn(curl->ctx);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	const struct watched *watched = poll->data;
	int flags = 0;

	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	work(watched->curl, watched->fd, flags);
}

static void on_timer(uv_timer_t *timer)
{
	work(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_soon(uv_idle_t *soon)
{
	uv_idle_stop(soon);
	work(soon->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long wait_ms, void *ctx)
{
	struct curl_loop *curl = ctx;

	(void)multi;
	uv_timer_stop(&curl->timer);
	uv_idle_stop(&curl->soon);
	if (wait_ms == 0)
		uv_idle_start(&curl->soon, on_soon);
	else if (wait_ms > 0)
		uv_timer_start(&curl->timer, on_timer, (uint64_t)wait_ms, 0);
	return 0;
}

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
	struct curl_loop *curl = ctx;
	struct watched *watched = of_socket;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watched)
			uv_close((uv_handle_t *)&watched->poll, on_poll_closed);
		curl_multi_assign(curl->multi, fd, NULL);
		return 0;
	}
	if (!watched) {
		watched = xcalloc(1, sizeof(*watched));
		watched->fd = fd;
		watched->curl = curl;
		uv_poll_init_socket(curl->loop, &watched->poll, fd);
		watched->poll.data = watched;
		curl_multi_assign(curl->multi, fd, watched);
	}
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	uv_poll_start(&watched->poll, events, on_poll);
	return 0;
}

struct curl_loop *curl_loop_new(struct uv_loop_s *loop, void (*turn)(void *ctx), void *ctx)
{
	struct curl_loop *curl = xcalloc(1, sizeof(*curl));

	curl->loop = loop;
	curl->turn = turn;
	curl->ctx = ctx;
	curl->multi = curl_multi_init();
	if (!curl->multi)
		abort();
	uv_timer_init(loop, &curl->timer);
	uv_idle_init(loop, &curl->soon);
	curl->timer.data = curl->soon.data = curl;
	curl_multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
	curl_multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
	return curl;
}

static void on_soon_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void curl_loop_close(struct curl_loop *curl)
{
	curl->turn = NULL;
	curl_multi_cleanup(curl->multi);
	uv_close((uv_handle_t *)&curl->timer, NULL);
	uv_close((uv_handle_t *)&curl->soon, on_soon_closed);
}

CURLM *curl_loop_multi(struct curl_loop *curl)
{
	return curl->multi;
}
