/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/http_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_BYTES ((size_t)64 * 1024) /* in one turn of the loop */
#define SNDBUF_BYTES (64 * 1024) /* who reads nothing must not pin megabytes of kernel memory */
#define DRAIN_BYTES ((size_t)64 * 1024) /* of a body that nobody wants */

/* --- the order of going --- */

static void unlink_conn(struct http_conn *conn)
{
	struct http *http = conn->http;

	*(conn->prev ? &conn->prev->next : &http->first) = conn->next;
	*(conn->next ? &conn->next->prev : &http->last) = conn->prev;
	conn->prev = conn->next = NULL;
}

static void link_last(struct http_conn *conn)
{
	struct http *http = conn->http;

	conn->prev = http->last;
	conn->next = NULL;
	*(http->last ? &http->last->next : &http->first) = conn;
	http->last = conn;
}

void http_conn_last_to_go(struct http_conn *conn)
{
	unlink_conn(conn);
	link_last(conn);
}

void http_conn_first_to_go(struct http_conn *conn)
{
	struct http *http = conn->http;

	unlink_conn(conn);
	conn->next = http->first;
	*(http->first ? &http->first->prev : &http->last) = conn;
	http->first = conn;
}

/* --- the end --- */

static void on_closed(uv_handle_t *handle)
{
	struct http_conn *conn = handle->data;
	struct http *http = conn->http;

	free(conn);
	if (--http->handles == 0)
		free(http);
}

void http_conn_close(struct http_conn *conn)
{
	static const struct linger reset = { .l_onoff = 1 };
	struct http *http = conn->http;

	unlink_conn(conn);
	http->conn_nr--;
	http_answer_release(http, &conn->answer);
	free(TAKE_PTR(conn->in));
	uv_poll_stop(&conn->poll);
	if (conn->phase == HTTP_WRITING) /* half an answer must not look like a whole one */
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(conn->fd);
	if (conn->is_spare)
		http->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uv_close((uv_handle_t *)&conn->poll, on_closed);
}

/* Not by a plain close(): with a request's rest unread that would be a reset, and our answer be lost. */
static void finish(struct http_conn *conn)
{
	conn->phase = HTTP_CLOSING;
	shutdown(conn->fd, SHUT_WR);
	http_conn_first_to_go(conn);
}

/* --- out --- */

/* One piece in one turn.  Returns false when the connection is of no more use. */
static bool send_some(struct http_conn *conn)
{
	struct http_answer *answer = &conn->answer;
	ssize_t nr;

	if (answer->at == answer->len && !http_answer_more(conn->http, answer)) {
		finish(conn);
		return true;
	}
	nr = send(conn->fd, answer->text + answer->at, MIN(answer->len - answer->at, SEND_BYTES),
		  MSG_NOSIGNAL | MSG_DONTWAIT);
	if (nr < 0)
		return errno == EAGAIN || errno == EINTR;
	answer->at += (size_t)nr;
	conn->since_ms = uv_now(conn->http->loop);
	http_conn_last_to_go(conn);
	if (answer->at == answer->len && !answer->stream)
		finish(conn);
	return true;
}

/* --- in --- */

static void reply(struct http_conn *conn, enum http_verdict verdict,
		  const struct http_request *request)
{
	http_answer_make(conn->http, verdict, request, &conn->answer);
	free(TAKE_PTR(conn->in));
	conn->phase = HTTP_WRITING;
}

/* Bytes that trickle in are no progress: a request has its time from the beginning. */
static bool receive(struct http_conn *conn)
{
	struct http_request request = { 0 };
	enum http_verdict verdict;
	ssize_t nr = recv(conn->fd, conn->in + conn->in_len, HTTP_HEAD_BYTES - conn->in_len,
			  MSG_DONTWAIT);

	if (nr <= 0)
		return nr < 0 && (errno == EAGAIN || errno == EINTR);
	conn->in_len += (size_t)nr;
	verdict = http_request_read(conn->in, conn->in_len, &request);
	if (verdict == HTTP_MORE)
		return true;
	reply(conn, verdict, &request);
	return send_some(conn);
}

static bool drain(struct http_conn *conn)
{
	char waste[4096];
	ssize_t nr = recv(conn->fd, waste, sizeof(waste), MSG_DONTWAIT);

	if (nr < 0)
		return errno == EAGAIN || errno == EINTR;
	conn->drained += (size_t)nr;
	return nr > 0 && conn->drained < DRAIN_BYTES;
}

static bool step(struct http_conn *conn)
{
	switch (conn->phase) {
	case HTTP_READING:
		return receive(conn);
	case HTTP_WRITING:
		return send_some(conn);
	case HTTP_CLOSING:
		return drain(conn);
	}
	return false;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void go_on(struct http_conn *conn, bool good)
{
	int events = conn->phase == HTTP_WRITING ? UV_WRITABLE : UV_READABLE;

	if (!good || uv_poll_start(&conn->poll, events, on_poll) < 0)
		http_conn_close(conn);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct http_conn *conn = poll->data;

	(void)events;
	go_on(conn, status == 0 && step(conn));
}

void http_conn_open(struct http *http, int fd, const uint8_t peer[16], bool is_spare)
{
	struct http_conn *conn = xcalloc(1, sizeof(*conn));
	const int sndbuf = SNDBUF_BYTES;

	/* It only tunes. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	*conn = (struct http_conn){
		.http = http,
		.fd = fd,
		.is_spare = is_spare,
		.since_ms = uv_now(http->loop),
		.in = xmalloc(HTTP_HEAD_BYTES),
	};
	for (size_t i = 0; i < sizeof(conn->peer); i++)
		conn->peer[i] = peer[i];
	/* Fails only for a descriptor that is none. */
	if (uv_poll_init(http->loop, &conn->poll, fd) < 0)
		abort();
	conn->poll.data = conn;
	http->handles++;
	http->conn_nr++;
	link_last(conn);
	/* Who has asked already is answered before anybody else can crowd him out. */
	go_on(conn, step(conn));
}
