/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_BOTH_PROXY_H
#define TESTS_UNIT_BOTH_PROXY_H

/* A TCP proxy on the test's loop that passes on so many bytes of each connection and then does it harm. */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "lib/core/base.h"

enum proxy_harm {
	PROXY_NONE,
	PROXY_CUT,   /* both ends see the end of the stream */
	PROXY_RESET, /* both ends see a reset */
	PROXY_STALL, /* nothing more is passed on, either way */
};

struct proxy {
	uv_tcp_t listener;
	int port, to_port;
	enum proxy_harm harm;
	bool from_server; /* count what the server sends, not what the client does */
	size_t after;	  /* so many bytes */
	unsigned harmed, open;
};

struct proxy_link {
	struct proxy *proxy;
	uv_tcp_t end[2]; /* client, server */
	uv_connect_t connect;
	size_t passed[2];
	int left; /* handles not closed */
	bool stalled;
};

struct proxy_write {
	uv_write_t req;
	char bytes[];
};

static inline void proxy_on_end(uv_handle_t *handle)
{
	struct proxy_link *link = handle->data;

	if (--link->left > 0)
		return;
	link->proxy->open--;
	free(link);
}

static inline void proxy_end(struct proxy_link *link, bool reset)
{
	for (int i = 0; i < 2; i++) {
		uv_handle_t *handle = (uv_handle_t *)&link->end[i];

		if (uv_is_closing(handle))
			continue;
		if (!reset || uv_tcp_close_reset(&link->end[i], proxy_on_end) < 0)
			uv_close(handle, proxy_on_end);
	}
}

static inline void proxy_on_written(uv_write_t *req, int status)
{
	(void)status;
	free(req);
}

static inline void proxy_pass(struct proxy_link *link, int from, const char *bytes, size_t len)
{
	struct proxy_write *w = xmalloc(sizeof(*w) + len);
	uv_buf_t buf;

	memcpy(w->bytes, bytes, len);
	buf = uv_buf_init(w->bytes, (unsigned)len);
	link->passed[from] += len;
	if (uv_write(&w->req, (uv_stream_t *)&link->end[1 - from], &buf, 1, proxy_on_written) < 0)
		free(w);
}

static inline void proxy_do_harm(struct proxy_link *link)
{
	struct proxy *proxy = link->proxy;

	proxy->harmed++;
	link->stalled = true;
	if (proxy->harm != PROXY_STALL)
		proxy_end(link, proxy->harm == PROXY_RESET);
}

static inline void proxy_on_read(uv_stream_t *stream, ssize_t nr, const uv_buf_t *buf)
{
	struct proxy_link *link = stream->data;
	struct proxy *proxy = link->proxy;
	int from = (uv_tcp_t *)stream == &link->end[1];
	bool counts = proxy->harm != PROXY_NONE && from == (proxy->from_server ? 1 : 0);
	size_t room = counts ? proxy->after - MIN(proxy->after, link->passed[from]) : SIZE_MAX;

	if (nr < 0)
		proxy_end(link, nr == UV_ECONNRESET);
	else if (nr > 0 && !link->stalled) {
		proxy_pass(link, from, buf->base, MIN((size_t)nr, room));
		if ((size_t)nr >= room)
			proxy_do_harm(link);
	}
	free(buf->base);
}

static inline void proxy_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	(void)handle;
	*buf = uv_buf_init(xmalloc(size), (unsigned)size);
}

static inline void proxy_on_connected(uv_connect_t *req, int status)
{
	struct proxy_link *link = req->data;

	if (status < 0 || uv_is_closing((uv_handle_t *)&link->end[0])) {
		proxy_end(link, false);
		return;
	}
	for (int i = 0; i < 2; i++)
		uv_read_start((uv_stream_t *)&link->end[i], proxy_alloc, proxy_on_read);
	if (link->proxy->harm != PROXY_NONE && link->proxy->after == 0)
		proxy_do_harm(link);
}

static inline void proxy_on_connection(uv_stream_t *listener, int status)
{
	struct proxy *proxy = listener->data;
	struct proxy_link *link = xcalloc(1, sizeof(*link));
	struct sockaddr_in to;

	(void)status;
	link->proxy = proxy;
	link->left = 2;
	proxy->open++;
	for (int i = 0; i < 2; i++) {
		uv_tcp_init(listener->loop, &link->end[i]);
		link->end[i].data = link;
	}
	link->connect.data = link;
	uv_ip4_addr("127.0.0.1", proxy->to_port, &to);
	if (uv_accept(listener, (uv_stream_t *)&link->end[0]) < 0 ||
	    uv_tcp_connect(&link->connect, &link->end[1], (struct sockaddr *)&to,
			   proxy_on_connected) < 0)
		proxy_end(link, false);
}

/* Before `port` of loopback; proxy->port is where it listens itself. */
static inline void proxy_start(struct proxy *proxy, uv_loop_t *loop, int port)
{
	struct sockaddr_in at;
	int len = sizeof(at);

	*proxy = (struct proxy){ .to_port = port };
	uv_ip4_addr("127.0.0.1", 0, &at);
	uv_tcp_init(loop, &proxy->listener);
	proxy->listener.data = proxy;
	if (uv_tcp_bind(&proxy->listener, (struct sockaddr *)&at, 0) < 0 ||
	    uv_listen((uv_stream_t *)&proxy->listener, 64, proxy_on_connection) < 0 ||
	    uv_tcp_getsockname(&proxy->listener, (struct sockaddr *)&at, &len) < 0)
		abort();
	proxy->port = ntohs(at.sin_port);
}

/* No new connections; those that are open go with their ends (or stay, if stalled: see proxy_drop()). */
static inline void proxy_stop(struct proxy *proxy)
{
	uv_close((uv_handle_t *)&proxy->listener, NULL);
}

#endif
