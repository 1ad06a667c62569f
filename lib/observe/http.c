/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/http.h"

#include "lib/observe/listen.h"
#include "lib/observe/metrics.h"

#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define CONNECTIONS_MAX 32
#define IDLE_SECONDS 5
#define CONNECTION_BYTES 16384
#define STREAM_BYTES 16384 /* of a stream at a time */

struct http {
	struct MHD_Daemon *daemon;
	uv_poll_t poll;	  /* the daemon's epoll descriptor */
	uv_timer_t timer; /* its idle connections */
	int handles;	  /* that the loop still knows */
	int port;
	struct metrics *metrics;
	int (*ready)(void *ctx, struct err *err);
	const struct http_stream *stream;
	void *ctx;
};

/* A stream that somebody reads. */
struct reader {
	const struct http_stream *stream;
	void *open;
};

/* Takes the response over. */
static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status, const char *type,
			     struct MHD_Response *response)
{
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return r;
}

/* The body is copied unless it is to be freed by the response. */
static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type,
			     char *body, enum MHD_ResponseMemoryMode mode)
{
	return queue(connection, status, type,
		     MHD_create_response_from_buffer(strlen(body), body, mode));
}

static enum MHD_Result reply_text(struct MHD_Connection *connection, unsigned status,
				  const char *text)
{
	cleanup(freep) char *body = xasprintf("%s\n", text);

	return reply(connection, status, "text/plain; charset=utf-8", body, MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result reply_ready(const struct http *http, struct MHD_Connection *connection)
{
	struct err err = ERR_INIT;

	if (http->ready && http->ready(http->ctx, &err) < 0)
		return reply_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, err.text);
	return reply_text(connection, MHD_HTTP_OK, "ok");
}

static ssize_t read_stream(void *cls, uint64_t at, char *buf, size_t size)
{
	const struct reader *reader = cls;
	size_t nr = reader->stream->read(reader->open, buf, size);

	(void)at;
	return nr ? (ssize_t)nr : MHD_CONTENT_READER_END_OF_STREAM;
}

static void close_stream(void *cls)
{
	struct reader *reader = cls;

	reader->stream->close(reader->open);
	free(reader);
}

/* Not for HEAD: libmicrohttpd ends even that with a last chunk. */
static enum MHD_Result reply_stream(const struct http *http, struct MHD_Connection *connection)
{
	struct reader *reader;
	struct MHD_Response *response;
	void *open = http->stream->open(http->ctx);

	if (!open)
		return reply_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not yet");
	reader = xcalloc(1, sizeof(*reader));
	*reader = (struct reader){ http->stream, open };
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BYTES, read_stream,
						     reader, close_stream);
	if (!response)
		close_stream(reader);
	return queue(connection, MHD_HTTP_OK, http->stream->type, response);
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_len, void **state)
{
	static const char seen;
	const struct http *http = cls;

	(void)version;
	(void)upload;
	(void)upload_len;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return reply_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				  "only GET and HEAD are served here");
	/* The first call says that the headers are there; the answer is due on the second. */
	if (!*state) {
		*state = (void *)&seen;
		return MHD_YES;
	}
	if (strcmp(url, "/metrics") == 0 && http->metrics)
		return reply(connection, MHD_HTTP_OK, METRICS_CONTENT_TYPE,
			     metrics_render(http->metrics, NULL), MHD_RESPMEM_MUST_FREE);
	if (strcmp(url, "/healthz") == 0)
		return reply_text(connection, MHD_HTTP_OK, "ok");
	if (strcmp(url, "/readyz") == 0)
		return reply_ready(http, connection);
	if (http->stream && strcmp(url, http->stream->path) == 0)
		return strcmp(method, "GET") == 0 ? reply_stream(http, connection)
						  : reply_text(connection, MHD_HTTP_OK, "");
	return reply_text(connection, MHD_HTTP_NOT_FOUND,
			  "not found; there are /metrics, /healthz and /readyz");
}

static void on_timer(uv_timer_t *timer);

static void run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES)
		/* Not 0: such a timer comes again in the same turn of the loop, and nothing else runs. */
		uv_timer_start(&http->timer, on_timer, MAX(timeout_ms, 1), 0);
	else
		uv_timer_stop(&http->timer);
}

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

static int start_daemon(struct http *http, int fd)
{
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, http,
					MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
					CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
					IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
					(size_t)CONNECTION_BYTES, MHD_OPTION_END);
	return http->daemon ? 0 : -ENOMEM;
}

static void watch(struct http *http, uv_loop_t *loop)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	/* Fail only for a descriptor that is none. */
	if (!info || uv_poll_init(loop, &http->poll, info->epoll_fd) < 0 ||
	    uv_timer_init(loop, &http->timer) < 0)
		abort();
	http->poll.data = http->timer.data = http;
	http->handles = 2;
	if (uv_poll_start(&http->poll, UV_READABLE, on_poll) < 0)
		abort();
}

int http_new(struct uv_loop_s *loop, const struct http_options *options, struct http **ret_http,
	     struct err *err)
{
	struct http *http;
	int fd = -1;
	int r = listen_tcp(options->listen, LISTEN_NOW, &fd, err);

	if (r < 0)
		return r;
	http = xcalloc(1, sizeof(*http));
	http->metrics = options->metrics;
	http->ready = options->ready;
	http->stream = options->stream;
	http->ctx = options->ctx;
	http->port = listen_port(fd);
	r = start_daemon(http, fd);
	if (r < 0) {
		close(fd);
		free(http);
		return err_set(err, r, "%s: the HTTP server does not start", options->listen);
	}
	watch(http, loop);
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
	uv_poll_stop(&http->poll);
	MHD_stop_daemon(http->daemon);
	uv_close((uv_handle_t *)&http->poll, on_closed);
	uv_close((uv_handle_t *)&http->timer, on_closed);
}
