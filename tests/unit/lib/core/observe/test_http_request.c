/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/core/observe/http_request.h"

static struct http_request check(const char *text, enum http_verdict verdict)
{
	struct http_request request = { 0 };

	assert_int_equal(http_request_read(text, strlen(text), &request), verdict);
	return request;
}

static void check_path(const char *text, const char *path)
{
	struct http_request request = check(text, HTTP_OK);

	assert_true(http_request_is(&request, path));
	assert_int_equal(request.path_len, strlen(path));
}

static void a_request_has_a_path(void **state)
{
	(void)state;
	check_path("GET / HTTP/1.1\r\n\r\n", "/");
	check_path("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n", "/metrics");
	check_path("GET /metrics?a=/b HTTP/1.0\r\n\r\n", "/metrics");
	check_path("GET http://node-7:8081/healthz HTTP/1.1\r\n\r\n", "/healthz");
	check_path("\r\n\r\nGET /a HTTP/1.1\r\n\r\n", "/a");
	check_path("GET /a HTTP/1.1\nHost:x\n\n", "/a");
	check_path("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n", "/a");
	check_path("GET /a HTTP/1.1\r\nA:\r\nB: \xc3\xa9 \t\r\n\r\n", "/a");
}

static void head_and_the_version_are_told(void **state)
{
	(void)state;
	assert_true(check("HEAD / HTTP/1.1\r\n\r\n", HTTP_OK).head);
	assert_false(check("GET / HTTP/1.1\r\n\r\n", HTTP_OK).head);
	assert_true(check("GET / HTTP/1.1\r\n\r\n", HTTP_OK).chunked);
	assert_false(check("GET / HTTP/1.0\r\n\r\n", HTTP_OK).chunked);
	check("GET / HTTP/2.0\r\n\r\n", HTTP_VERSION_UNKNOWN);
}

static void every_part_of_a_request_waits_for_more(void **state)
{
	static const char text[] = "\r\nHEAD /metrics?x HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n";
	struct http_request request;

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(http_request_read(text, len, &request), HTTP_MORE);
	assert_int_equal(http_request_read(text, sizeof(text) - 1, &request), HTTP_OK);
}

static void other_methods_are_not_allowed(void **state)
{
	(void)state;
	check("POST / HTTP/1.1\r\n\r\n", HTTP_METHOD_NOT_ALLOWED);
	check("get / HTTP/1.1\r\n\r\n", HTTP_METHOD_NOT_ALLOWED);
	check("OPTIONS * HTTP/1.1\r\n\r\n", HTTP_METHOD_NOT_ALLOWED);
	check("CONNECT a:1 HTTP/1.1\r\n\r\n", HTTP_METHOD_NOT_ALLOWED);
	check("POST / HTTP/1.1\r\n", HTTP_MORE);
}

static void what_is_no_request_is_refused_at_once(void **state)
{
	static const char *const bad[] = {
		"\x16\x03\x01",
		" GET / HTTP/1.1\r\n",
		"GET\r\n",
		"GET /\r\n",
		"GET / \r\n",
		"GET  / HTTP/1.1\r\n",
		"GET / HTTP/1.1 \r\n",
		"GET / http/1.1\r\n",
		"GET / HTTP/1\r\n",
		"GET / HTTP/1.x\r\n",
		"GET a HTTP/1.1\r\n",
		"GET http://a HTTP/1.1\r\n",
		"GET /\x01 HTTP/1.1\r\n",
		"GET /\xff HTTP/1.1\r\n",
		"GET / HTTP/1.1\r\nno colon\r\n",
		"GET / HTTP/1.1\r\nA : b\r\n",
		"GET / HTTP/1.1\r\n: b\r\n",
		"GET / HTTP/1.1\r\nA: b\r\n folded\r\n",
		"GET / HTTP/1.1\r\nA: b\rc\r\n",
		"GET / HTTP/1.1\r\nA: \x7f\r\n",
		"AMETHODTHATISLONGERTHANANYTHATTHEREIS",
		"\r\rGET / HTTP/1.1\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check(bad[i], HTTP_BAD_REQUEST);
}

static void a_nul_is_refused(void **state)
{
	static const char line[] = "GET /\0a HTTP/1.1\r\n\r\n";
	static const char field[] = "GET / HTTP/1.1\r\nA: \0\r\n\r\n";
	struct http_request request;

	(void)state;
	assert_int_equal(http_request_read(line, sizeof(line) - 1, &request), HTTP_BAD_REQUEST);
	assert_int_equal(http_request_read(field, sizeof(field) - 1, &request), HTTP_BAD_REQUEST);
}

static void a_head_has_a_bound(void **state)
{
	static const char begin[] = "GET / HTTP/1.1\r\nA: ";
	char text[HTTP_HEAD_BYTES + 1];
	struct http_request request;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, begin, sizeof(begin) - 1);
	assert_int_equal(http_request_read(text, HTTP_HEAD_BYTES - 1, &request), HTTP_MORE);
	assert_int_equal(http_request_read(text, HTTP_HEAD_BYTES, &request), HTTP_HEAD_TOO_LARGE);
	memcpy(text + HTTP_HEAD_BYTES - 4, "\r\n\r\n", 4);
	assert_int_equal(http_request_read(text, HTTP_HEAD_BYTES, &request), HTTP_OK);
	memset(text + 5, 'a', HTTP_HEAD_BYTES - 5);
	assert_int_equal(http_request_read(text, HTTP_HEAD_BYTES, &request), HTTP_HEAD_TOO_LARGE);
	memset(text, '\n', sizeof(text));
	assert_int_equal(http_request_read(text, sizeof(text), &request), HTTP_HEAD_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_has_a_path),
		cmocka_unit_test(head_and_the_version_are_told),
		cmocka_unit_test(every_part_of_a_request_waits_for_more),
		cmocka_unit_test(other_methods_are_not_allowed),
		cmocka_unit_test(what_is_no_request_is_refused_at_once),
		cmocka_unit_test(a_nul_is_refused),
		cmocka_unit_test(a_head_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
