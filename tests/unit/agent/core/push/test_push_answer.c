/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "agent/core/push/push_answer.h"

static struct push_verdict verdict;

static enum push_outcome http(int code, const char *text, size_t nr)
{
	const struct push_answer answer = { .connected = true,
					    .answered = true,
					    .code = code,
					    .grpc_status = -1,
					    .text = text,
					    .len = strlen(text) };

	push_verdict_of(&answer, nr, &verdict);
	return verdict.outcome;
}

static enum push_outcome grpc(int status, const char *text)
{
	const struct push_answer answer = { .connected = true,
					    .answered = true,
					    .code = 200,
					    .grpc = true,
					    .grpc_status = status,
					    .text = text,
					    .len = strlen(text) };

	push_verdict_of(&answer, 3, &verdict);
	return verdict.outcome;
}

static void each_code_of_http_has_its_outcome(void **state)
{
	static const struct {
		int code;
		enum push_outcome outcome;
	} row[] = {
		{ 200, PUSH_OK },	    { 204, PUSH_OK },	     { 301, PUSH_REFUSED },
		{ 307, PUSH_REFUSED },	    { 400, PUSH_REJECTED },  { 401, PUSH_REFUSED },
		{ 403, PUSH_REFUSED },	    { 404, PUSH_REFUSED },   { 405, PUSH_REFUSED },
		{ 408, PUSH_FAILED },	    { 413, PUSH_TOO_LARGE }, { 422, PUSH_REJECTED },
		{ 429, PUSH_RATE_LIMITED }, { 499, PUSH_FAILED },    { 500, PUSH_FAILED },
		{ 501, PUSH_REFUSED },	    { 502, PUSH_FAILED },    { 503, PUSH_FAILED },
		{ 504, PUSH_FAILED },	    { 0, PUSH_REFUSED },     { 999, PUSH_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(http(row[i].code, "", 1), row[i].outcome);
}

static void a_body_says_more_than_the_code(void **state)
{
	(void)state;
	assert_int_equal(http(500, "{\"code\": 2, \"message\": \"bad profile type\"}", 1),
			 PUSH_DOUBTFUL);
	assert_string_equal(verdict.why.text, "HTTP 500, 2: bad profile type");
	assert_int_equal(http(500, "{\"code\": \"unknown\"}", 1), PUSH_FAILED);
	assert_int_equal(http(500, "{\"code\": 13}", 1), PUSH_FAILED);
	assert_int_equal(http(422, "resource_exhausted: push rate limit", 1), PUSH_RATE_LIMITED);
	assert_int_equal(
		http(400,
		     "{\"code\":\"invalid_argument\",\"message\":\"profile with labels '{}' is "
		     "outside of ingestion window (profile timestamp: 1)\"}",
		     1),
		PUSH_TOO_OLD);
	assert_int_equal(http(503, "<html>\n\x1b[31mno</html>", 1), PUSH_FAILED);
	assert_string_equal(verdict.why.text, "HTTP 503: <html>??[31mno</html>");
	assert_int_equal(http(500, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 1), PUSH_FAILED);
}

static void each_status_of_grpc_has_its_outcome(void **state)
{
	(void)state;
	assert_int_equal(grpc(0, ""), PUSH_OK);
	assert_int_equal(grpc(-1, ""), PUSH_FAILED_LINK);
	assert_int_equal(grpc(2, ""), PUSH_DOUBTFUL);
	assert_int_equal(grpc(3, "missing __name__"), PUSH_REJECTED);
	assert_string_equal(verdict.why.text, "gRPC status 3: missing __name__");
	assert_int_equal(grpc(4, ""), PUSH_FAILED);
	assert_int_equal(grpc(7, ""), PUSH_REFUSED);
	assert_int_equal(grpc(8, ""), PUSH_RATE_LIMITED);
	assert_int_equal(grpc(11, ""), PUSH_REJECTED);
	assert_int_equal(grpc(12, ""), PUSH_REFUSED);
	assert_int_equal(grpc(13, ""), PUSH_FAILED);
	assert_int_equal(grpc(14, ""), PUSH_FAILED);
	assert_int_equal(grpc(16, ""), PUSH_REFUSED);
	assert_int_equal(grpc(4711, ""), PUSH_FAILED);
}

static void no_answer_is_the_links_fault(void **state)
{
	struct push_answer answer = { .grpc_status = -1, .text = "refused", .len = 7 };

	(void)state;
	push_verdict_of(&answer, 1, &verdict);
	assert_int_equal(verdict.outcome, PUSH_UNREACHABLE);
	assert_string_equal(verdict.why.text, "refused");
	answer.connected = true;
	push_verdict_of(&answer, 1, &verdict);
	assert_int_equal(verdict.outcome, PUSH_FAILED_LINK);
}

static void pyroscope_names_the_series_it_did_not_take(void **state)
{
	static const char some[] = "{\"code\":\"unknown\",\"message\":\"2 errors: push series with "
				   "index 1 and id  failed: "
				   "x; push series with index 17 and id  failed: y\"}";

	(void)state;
	assert_int_equal(http(500, some, 32), PUSH_PARTIAL);
	assert_int_equal(verdict.failed, 1 << 1 | 1 << 17);
	assert_false(verdict.limited);
	assert_int_equal(http(429, some, 18), PUSH_PARTIAL);
	assert_true(verdict.limited);
	assert_int_equal(http(400, "push series with index 0 push series with index 1", 2),
			 PUSH_REJECTED);
	assert_int_equal(http(400, "push series with index 5", 2), PUSH_REJECTED);
	assert_int_equal(http(400, "push series with index 99999999999999999999999", 2),
			 PUSH_REJECTED);
	assert_int_equal(http(400, "push series with index x push series with index ", 2),
			 PUSH_REJECTED);
	assert_int_equal(http(500, some, 1), PUSH_FAILED);
}

static void a_wait_is_bounded(void **state)
{
	struct push_answer answer = { .connected = true,
				      .answered = true,
				      .code = 429,
				      .grpc_status = -1,
				      .retry_after_ns = INT64_MAX,
				      .text = "" };

	(void)state;
	push_verdict_of(&answer, 1, &verdict);
	assert_int_equal(verdict.retry_after_ns, PUSH_RETRY_AFTER_MAX_NS);
	answer.retry_after_ns = -5;
	push_verdict_of(&answer, 1, &verdict);
	assert_int_equal(verdict.retry_after_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_of_http_has_its_outcome),
		cmocka_unit_test(a_body_says_more_than_the_code),
		cmocka_unit_test(each_status_of_grpc_has_its_outcome),
		cmocka_unit_test(no_answer_is_the_links_fault),
		cmocka_unit_test(pyroscope_names_the_series_it_did_not_take),
		cmocka_unit_test(a_wait_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
