/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_LIB_OBSERVE_HTTP_RIG_H
#define TESTS_UNIT_LIB_OBSERVE_HTTP_RIG_H

/* An HTTP server on a loop that the test turns, and its clients. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "lib/observe/http.h"
#include "lib/observe/metrics.h"

#define STREAM_BYTES ((size_t)500000)

struct fixture {
	uv_loop_t loop;
	uv_timer_t alive;
	struct metrics *metrics;
	struct http *http;
	bool ready;
	bool has_pages;
	int open_streams;
	unsigned idle_ms;
	size_t stream_bytes; /* 0 = STREAM_BYTES */
};

/* "x" as often as `left` says. */
struct stream {
	struct fixture *f;
	size_t left;
};

static void *open_stream(void *ctx)
{
	struct fixture *f = ctx;
	struct stream *stream = xcalloc(1, sizeof(*stream));

	if (!f->has_pages) {
		free(stream);
		return NULL;
	}
	*stream = (struct stream){ f, f->stream_bytes ? f->stream_bytes : STREAM_BYTES };
	f->open_streams++;
	return stream;
}

static size_t read_stream(void *ctx, char *buf, size_t size)
{
	struct stream *stream = ctx;
	size_t nr = MIN(MIN(size, 1000), stream->left);

	memset(buf, 'x', nr);
	stream->left -= nr;
	return nr;
}

static void close_stream(void *ctx)
{
	struct stream *stream = ctx;

	stream->f->open_streams--;
	free(stream);
}

static const struct http_stream stream = {
	.path = "/stream",
	.type = "text/plain",
	.open = open_stream,
	.read = read_stream,
	.close = close_stream,
};

static int is_ready(void *ctx, struct err *err)
{
	const struct fixture *f = ctx;

	return f->ready ? 0 : err_set(err, -EAGAIN, "no plan yet");
}

static void start(struct fixture *f)
{
	const struct http_options options = {
		.listen = "127.0.0.1:0",
		.metrics = f->metrics = metrics_new(),
		.ready = is_ready,
		.stream = &stream,
		.ctx = f,
		.idle_ms = f->idle_ms,
	};
	struct err err = ERR_INIT;

	assert_int_equal(uv_loop_init(&f->loop), 0);
	if (http_new(&f->loop, &options, &f->http, &err) < 0)
		fail_msg("%s", err.text);
}

static void stop(struct fixture *f)
{
	http_free(f->http);
	while (uv_run(&f->loop, UV_RUN_DEFAULT))
		;
	assert_int_equal(uv_loop_close(&f->loop), 0);
	metrics_free(f->metrics);
}

/* By the loopback's address 127.0.0.`from`. */
static int connect_from(int from, int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr_in own = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(0x7f000000U | (uint32_t)from) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static int connect_to(int port)
{
	return connect_from(1, port);
}

/* Turn the loop until the server closes `fd`.  Returns how it did: 0, or a negative errno; -ETIMEDOUT after 3 s. */
static int read_to_end(struct fixture *f, int fd, char *answer, size_t size)
{
	size_t len = 0;
	int r = -ETIMEDOUT;

	for (int turns = 0; turns < 3000 && r == -ETIMEDOUT; turns++) {
		ssize_t nr;

		uv_run(&f->loop, UV_RUN_NOWAIT);
		nr = recv(fd, answer + len, size - 1 - len, MSG_DONTWAIT);
		if (nr > 0)
			len += (size_t)nr;
		else if (nr == 0)
			r = 0;
		else if (errno != EAGAIN)
			r = -errno;
		else
			usleep(1000);
	}
	answer[len] = '\0';
	return r;
}

/* Send `request` and turn the loop until the server closes. */
static void ask_by(struct fixture *f, int fd, const char *request, char *answer, size_t size)
{
	assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	assert_int_equal(read_to_end(f, fd, answer, size), 0);
	close(fd);
}

static inline void ask(struct fixture *f, const char *request, char *answer, size_t size)
{
	ask_by(f, connect_to(http_port(f->http)), request, answer, size);
}

#endif
