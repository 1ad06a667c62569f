/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "lib/observe/http.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#define STREAM_BYTES 500000

struct fixture {
	uv_loop_t loop;
	uv_timer_t alive;
	struct metrics *metrics;
	struct http *http;
	bool ready;
	bool has_pages;
	int open_streams;
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
	*stream = (struct stream){ f, STREAM_BYTES };
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

static int connect_to(int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Send `request` and turn the loop until the server closes. */
static void ask(struct fixture *f, const char *request, char *answer, size_t size)
{
	int fd = connect_to(http_port(f->http));
	size_t len = 0;

	assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	for (int turns = 0; turns < 3000; turns++) {
		ssize_t nr;

		uv_run(&f->loop, UV_RUN_NOWAIT);
		nr = recv(fd, answer + len, size - 1 - len, MSG_DONTWAIT);
		if (nr == 0)
			break;
		if (nr > 0)
			len += (size_t)nr;
		else
			usleep(1000);
	}
	answer[len] = '\0';
	close(fd);
}

static void check(struct fixture *f, const char *first_line, const char *status, const char *body)
{
	char request[256], answer[65536];

	snprintf(request, sizeof(request),
		 "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		 first_line);
	ask(f, request, answer, sizeof(answer));
	assert_memory_equal(answer, status, strlen(status));
	assert_non_null(strstr(answer, "\r\n\r\n"));
	assert_string_equal(strstr(answer, "\r\n\r\n") + 4, body);
}

static void each_path_answers(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	start(&f);
	metric_set(metrics_gauge(f.metrics, "a", "A.", METRIC_NO_LABELS), 1);
	check(&f, "GET /metrics", "HTTP/1.1 200", "# HELP a A.\n# TYPE a gauge\na 1\n");
	check(&f, "HEAD /metrics", "HTTP/1.1 200", "");
	check(&f, "GET /healthz", "HTTP/1.1 200", "ok\n");
	check(&f, "GET /readyz", "HTTP/1.1 503", "no plan yet\n");
	f.ready = true;
	check(&f, "GET /readyz", "HTTP/1.1 200", "ok\n");
	check(&f, "GET /etc/passwd", "HTTP/1.1 404",
	      "not found; there are /metrics, /healthz and /readyz\n");
	check(&f, "POST /metrics", "HTTP/1.1 405", "only GET and HEAD are served here\n");
	check(&f, "DELETE /", "HTTP/1.1 405", "only GET and HEAD are served here\n");
	stop(&f);
}

static void a_stream_is_read_to_its_end(void **state)
{
	struct fixture f = { 0 };
	char *answer = xmalloc(2 * STREAM_BYTES), *body;

	(void)state;
	start(&f);
	check(&f, "GET /stream", "HTTP/1.1 503", "not yet\n");
	f.has_pages = true;
	check(&f, "HEAD /stream", "HTTP/1.1 200", "");
	ask(&f, "GET /stream HTTP/1.0\r\n\r\n", answer, 2 * (size_t)STREAM_BYTES);
	body = strstr(answer, "\r\n\r\n") + 4;
	assert_int_equal(strlen(body), STREAM_BYTES);
	assert_int_equal(strspn(body, "x"), STREAM_BYTES);
	assert_int_equal(f.open_streams, 0);
	stop(&f);
	free(answer);
}

static void a_reader_that_goes_ends_its_stream(void **state)
{
	static const char request[] = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";
	struct fixture f = { .has_pages = true };
	int fd;

	(void)state;
	start(&f);
	fd = connect_to(http_port(f.http));
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	for (int turns = 0; turns < 3000 && !f.open_streams; turns++)
		uv_run(&f.loop, UV_RUN_NOWAIT);
	assert_int_equal(f.open_streams, 1);
	close(fd);
	for (int turns = 0; turns < 3000 && f.open_streams; turns++) {
		uv_run(&f.loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	assert_int_equal(f.open_streams, 0);
	stop(&f);
}

static void garbage_ends_only_its_own_connection(void **state)
{
	struct fixture f = { .ready = true };
	char answer[4096];

	(void)state;
	start(&f);
	ask(&f, "\x16\x03\x01 nonsense\r\n\r\n", answer, sizeof(answer));
	check(&f, "GET /healthz", "HTTP/1.1 200", "ok\n");
	stop(&f);
}

static void it_stops_with_a_connection_open(void **state)
{
	struct fixture f = { .ready = true };
	int fd;

	(void)state;
	start(&f);
	fd = connect_to(http_port(f.http));
	uv_run(&f.loop, UV_RUN_NOWAIT);
	stop(&f);
	close(fd);
}

static void do_nothing(uv_timer_t *timer)
{
	(void)timer;
}

/* The probe and the signals do not keep a loop alive, this does. */
static void start_loop(uv_loop_t *loop, uv_timer_t *alive)
{
	uv_loop_init(loop);
	uv_timer_init(loop, alive);
	uv_timer_start(alive, do_nothing, 60000, 0);
}

static void end_loop(uv_loop_t *loop, uv_timer_t *alive)
{
	uv_close((uv_handle_t *)alive, NULL);
	uv_run(loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(loop), 0);
}

static void the_lag_of_a_blocked_loop_is_seen(void **state)
{
	uv_loop_t loop;
	uv_timer_t alive;
	struct metrics *metrics = metrics_new();
	struct loop_lag lag;
	cleanup(freep) char *text = NULL;

	(void)state;
	start_loop(&loop, &alive);
	loop_lag_start(&lag, &loop, metrics, "rubato_test");
	usleep(160000);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_true(lag.max_seconds >= 0.05);
	text = metrics_render(metrics, NULL);
	assert_non_null(strstr(text, "rubato_test_loop_lag_seconds_count 1\n"));
	assert_non_null(strstr(text, "rubato_test_loop_lag_max_seconds 0."));
	loop_lag_close(&lag);
	end_loop(&loop, &alive);
	metrics_free(metrics);
}

static void note_stop(void *ctx, const char *signal_name)
{
	*(const char **)ctx = signal_name;
}

static void the_first_sigterm_asks_to_stop(void **state)
{
	uv_loop_t loop;
	uv_timer_t alive;
	struct loop_stop stopper;
	const char *name = NULL;

	(void)state;
	start_loop(&loop, &alive);
	loop_stop_start(&stopper, &loop, note_stop, &name);
	raise(SIGTERM);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_non_null(name);
	assert_string_equal(name, "SIGTERM");
	loop_stop_close(&stopper);
	end_loop(&loop, &alive);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_path_answers),
		cmocka_unit_test(a_stream_is_read_to_its_end),
		cmocka_unit_test(a_reader_that_goes_ends_its_stream),
		cmocka_unit_test(garbage_ends_only_its_own_connection),
		cmocka_unit_test(it_stops_with_a_connection_open),
		cmocka_unit_test(the_lag_of_a_blocked_loop_is_seen),
		cmocka_unit_test(the_first_sigterm_asks_to_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
