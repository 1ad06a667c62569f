/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/http.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/observe/http_priv.h"
#include "lib/observe/listen.h"

#define ACCEPTS_PER_TURN 64
#define CLOSING_MS 1000 /* for the peer to close too */
#define TICK_MS 100
#define PAUSE_MS 20

/* --- who goes --- */

static bool same_peer(const struct http_conn *conn, const uint8_t peer[16])
{
	return memcmp(conn->peer, peer, sizeof(conn->peer)) == 0;
}

/* The first to go is the one of longest silence; see http_conn_first_to_go(). */
static void make_room(struct http *http, const uint8_t peer[16])
{
	struct http_conn *first = NULL;
	size_t nr = 0;

	for (struct http_conn *conn = http->first; conn; conn = conn->next) {
		if (!same_peer(conn, peer))
			continue;
		first = first ? first : conn;
		nr++;
	}
	if (nr >= HTTP_PER_ADDRESS_MAX)
		http_conn_close(first);
	else if (http->conn_nr >= HTTP_CONNECTIONS_MAX)
		http_conn_close(http->first);
}

static bool is_late(const struct http_conn *conn, uint64_t now_ms)
{
	uint64_t may_ms = conn->phase == HTTP_CLOSING ? MIN(conn->http->idle_ms, CLOSING_MS)
						      : conn->http->idle_ms;

	return now_ms - conn->since_ms >= may_ms;
}

static void let_in(struct http *http);

static void on_timer(uv_timer_t *timer)
{
	struct http *http = timer->data;
	struct http_conn *next;

	for (struct http_conn *conn = http->first; conn; conn = next) {
		next = conn->next;
		if (is_late(conn, uv_now(http->loop)))
			http_conn_close(conn);
	}
	if (http->paused)
		let_in(http);
	else if (!http->first)
		uv_timer_stop(timer);
}

/* --- who gets in --- */

/* IPv4 as ::ffff:a.b.c.d; one IPv6 host may have all addresses of its network. */
static void peer_of(const struct sockaddr_storage *from, uint8_t ret_peer[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(ret_peer, 0, 16);
	if (from->ss_family == AF_INET) {
		memcpy(ret_peer, mapped, sizeof(mapped));
		memcpy(ret_peer + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
	} else if (from->ss_family == AF_INET6) {
		const uint8_t *ip = ((const struct sockaddr_in6 *)from)->sin6_addr.s6_addr;

		memcpy(ret_peer, ip, memcmp(ip, mapped, sizeof(mapped)) == 0 ? 16 : 8);
	}
}

/* There are no more files.  Returns whether one is free now: the spare, or that of our own first to go, who has had the
 * time to ask. */
static bool free_a_file(struct http *http, bool *is_spare)
{
	if (http->spare >= 0) {
		close(http->spare);
		http->spare = -1;
		*is_spare = true;
		return true;
	}
	if (!http->first || uv_now(http->loop) - http->first->since_ms < PAUSE_MS)
		return false;
	*is_spare = http->first->is_spare;
	http->first->is_spare = false;
	http_conn_close(http->first);
	return true;
}

/* The kernel looks for a free file before it looks whether anybody is there. */
static bool somebody_waits(const struct http *http)
{
	struct pollfd listens = { .fd = http->fd, .events = POLLIN };

	return poll(&listens, 1, 0) > 0;
}

/* Returns the connection, or a negative errno: -EAGAIN when nobody waits. */
static int take_one(struct http *http, uint8_t ret_peer[16], bool *is_spare)
{
	struct sockaddr_storage from = { 0 };
	int r;

	for (int attempt = 0;; attempt++) {
		socklen_t len = sizeof(from);
		int fd = accept4(http->fd, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			peer_of(&from, ret_peer);
			return fd;
		}
		r = -errno;
		if ((r != -EMFILE && r != -ENFILE) || attempt == 1)
			return r;
		if (!somebody_waits(http))
			return -EAGAIN;
		if (!free_a_file(http, is_spare))
			return r;
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	let_in(poll->data);
}

/* No spinning over somebody whom we cannot let in. */
static void pause_door(struct http *http)
{
	http->paused = true;
	uv_poll_stop(&http->poll);
}

static void start_timer(struct http *http)
{
	uint64_t tick_ms = http->paused ? PAUSE_MS : TICK_MS;

	/* To start it anew at each connection would put it off for ever. */
	if (!uv_is_active((uv_handle_t *)&http->timer) ||
	    uv_timer_get_repeat(&http->timer) != tick_ms)
		uv_timer_start(&http->timer, on_timer, tick_ms, tick_ms);
}

static void let_in(struct http *http)
{
	uv_update_time(http->loop);
	http->paused = false;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		uint8_t peer[16];
		bool is_spare = false;
		int fd = take_one(http, peer, &is_spare);

		if (fd == -ECONNABORTED || fd == -EINTR)
			continue;
		if (fd < 0) {
			if (is_spare)
				http->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
			if (fd != -EAGAIN)
				pause_door(http);
			break;
		}
		make_room(http, peer);
		http_conn_open(http, fd, peer, is_spare);
	}
	if (!http->paused)
		uv_poll_start(&http->poll, UV_READABLE, on_poll);
	if (http->paused || http->first)
		start_timer(http);
}

/* --- all of it --- */

int http_new(struct uv_loop_s *loop, const struct http_options *options, struct http **ret_http,
	     struct err *err)
{
	struct http *http;
	int fd = -1;
	int r = listen_tcp(options->listen, LISTEN_NOW, &fd, err);

	if (r < 0)
		return r;
	http = xcalloc(1, sizeof(*http));
	http->loop = loop;
	http->fd = fd;
	http->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	http->port = listen_port(fd);
	http->options = *options;
	http->idle_ms = options->idle_ms ? options->idle_ms : HTTP_IDLE_MS;
	/* Fail only for a descriptor that is none. */
	if (uv_poll_init(loop, &http->poll, fd) < 0 || uv_timer_init(loop, &http->timer) < 0)
		abort();
	http->poll.data = http->timer.data = http;
	http->handles = 2;
	uv_poll_start(&http->poll, UV_READABLE, on_poll);
	*ret_http = http;
	return 0;
}

int http_port(const struct http *http)
{
	return http->port;
}

static void on_closed(uv_handle_t *handle)
{
	struct http *http = handle->data;

	if (--http->handles == 0)
		free(http);
}

void http_free(struct http *http)
{
	if (!http)
		return;
	while (http->first)
		http_conn_close(http->first);
	uv_poll_stop(&http->poll);
	close(http->fd);
	if (http->spare >= 0)
		close(http->spare);
	uv_close((uv_handle_t *)&http->poll, on_closed);
	uv_close((uv_handle_t *)&http->timer, on_closed);
}
