/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/observe/http_request.h"
#include "tests/unit/lib/observe/http_rig.h"

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
	ask(&f, "GET /stream HTTP/1.0\r\n\r\n", answer, 2 * STREAM_BYTES);
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

static void what_is_refused_says_why(void **state)
{
	struct fixture f = { 0 };
	char long_head[HTTP_HEAD_BYTES + 1], answer[4096];

	(void)state;
	start(&f);
	ask(&f, "GET /healthz\r\n\r\n", answer, sizeof(answer));
	assert_memory_equal(answer, "HTTP/1.1 400 Bad Request\r\n", 26);
	assert_non_null(strstr(answer, "\r\n\r\nnot an HTTP request (there is no TLS here)\n"));
	ask(&f, "GET / HTTP/3.0\r\n\r\n", answer, sizeof(answer));
	assert_memory_equal(answer, "HTTP/1.1 505 ", 13);
	assert_non_null(strstr(answer, "\r\n\r\nonly HTTP/1.0 and HTTP/1.1 are served here\n"));
	ask(&f, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", answer, sizeof(answer));
	assert_memory_equal(answer, "HTTP/1.1 405 Method Not Allowed\r\n", 33);
	assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
	memset(long_head, 'a', HTTP_HEAD_BYTES);
	memcpy(long_head, "GET /", 5);
	long_head[HTTP_HEAD_BYTES] = '\0';
	ask(&f, long_head, answer, sizeof(answer));
	assert_memory_equal(answer, "HTTP/1.1 431 ", 13);
	assert_non_null(strstr(answer, "\r\n\r\nthe request's head is longer than 8192 bytes\n"));
	stop(&f);
}

static void head_tells_the_length_alone(void **state)
{
	struct fixture f = { .ready = true };
	char answer[4096];

	(void)state;
	start(&f);
	ask(&f, "HEAD /readyz HTTP/1.1\r\n\r\n", answer, sizeof(answer));
	assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
	assert_non_null(strstr(answer, "\r\nContent-Length: 3\r\n"));
	assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
	stop(&f);
}

static void what_follows_a_request_is_not_answered(void **state)
{
	struct fixture f = { .ready = true };
	char answer[4096];

	(void)state;
	start(&f);
	ask(&f, "GET /healthz HTTP/1.1\r\n\r\nGET /readyz HTTP/1.1\r\n\r\n\x16\x03 garbage", answer,
	    sizeof(answer));
	assert_memory_equal(answer, "HTTP/1.1 200", 12);
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\nok\n");
	stop(&f);
}

/* The chunks' frames taken off. */
static size_t dechunk(char *body)
{
	char *to = body, *at = body;
	unsigned long nr;

	while ((nr = strtoul(at, &at, 16)) > 0) {
		memmove(to, at + 2, nr);
		to += nr;
		at += 2 + nr + 2;
	}
	assert_string_equal(at, "\r\n\r\n");
	*to = '\0';
	return (size_t)(to - body);
}

static void to_newer_clients_a_stream_has_an_end(void **state)
{
	struct fixture f = { .has_pages = true };
	char *answer = xmalloc(2 * STREAM_BYTES), *body;

	(void)state;
	start(&f);
	ask(&f, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", answer, 2 * STREAM_BYTES);
	assert_non_null(strstr(answer, "\r\nTransfer-Encoding: chunked\r\n"));
	body = strstr(answer, "\r\n\r\n") + 4;
	assert_int_equal(dechunk(body), STREAM_BYTES);
	assert_int_equal(strspn(body, "x"), STREAM_BYTES);
	stop(&f);
	free(answer);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_path_answers),
		cmocka_unit_test(a_stream_is_read_to_its_end),
		cmocka_unit_test(a_reader_that_goes_ends_its_stream),
		cmocka_unit_test(garbage_ends_only_its_own_connection),
		cmocka_unit_test(what_is_refused_says_why),
		cmocka_unit_test(head_tells_the_length_alone),
		cmocka_unit_test(what_follows_a_request_is_not_answered),
		cmocka_unit_test(to_newer_clients_a_stream_has_an_end),
		cmocka_unit_test(it_stops_with_a_connection_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
