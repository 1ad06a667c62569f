/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "agent/core/push/push_url.h"

static void check_url(const char *text, bool pyroscope, bool parca)
{
	struct err err = ERR_INIT;

	assert_int_equal(push_url_check_pyroscope(text, &err) == 0, pyroscope);
	assert_int_equal(push_url_check_parca(text, &err) == 0, parca);
	if (!parca)
		assert_non_null(strstr(err.text, "HOST[:PORT]"));
}

static void urls_are_checked(void **state)
{
	(void)state;
	check_url("http://pyroscope:4040", true, true);
	check_url("https://profiles.example/tenant/", true, true);
	check_url("http://[::1]:4040", true, true);
	check_url("grpc://parca:7070", false, true);
	check_url("grpcs://grpc.example", false, true);
	check_url("pyroscope:4040", false, false);
	check_url("http://", false, false);
	check_url("http:///x", false, false);
	check_url("http://:4040", false, false);
	check_url("http://user:secret@pyroscope", false, false);
	check_url("http://pyroscope/?a=b", false, false);
	check_url("http://pyro scope", false, false);
	check_url("http://pyroscope\r\nX: y", false, false);
	check_url("ftp://pyroscope", false, false);
}

static void check_made(const char *url, enum push_wire wire, const char *wanted)
{
	cleanup(freep) char *made = push_url_make(url, wire);

	assert_string_equal(made, wanted);
}

static void the_path_of_the_call_stands_behind(void **state)
{
	(void)state;
	check_made("http://p:4040", PUSH_WIRE_PYROSCOPE,
		   "http://p:4040/push.v1.PusherService/Push");
	check_made("https://p/a/b//", PUSH_WIRE_PYROSCOPE,
		   "https://p/a/b/push.v1.PusherService/Push");
	check_made("http://p:7070/", PUSH_WIRE_PARCA, "http://p:7070/api/profiles/writeraw");
	check_made("grpcs://p", PUSH_WIRE_PARCA_GRPC,
		   "https://p/parca.profilestore.v1alpha1.ProfileStoreService/WriteRaw");
	assert_int_equal(push_url_wire("grpc://p"), PUSH_WIRE_PARCA_GRPC);
	assert_int_equal(push_url_wire("https://grpc"), PUSH_WIRE_PARCA);
	assert_true(push_url_is_tls("grpcs://p"));
	assert_false(push_url_is_tls("grpc://p"));
}

static void headers_are_checked(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(push_header_check("X-Team: a, b", &err), 0);
	assert_true(push_header_check("X-Team", &err) < 0);
	assert_non_null(strstr(err.text, "is not NAME: VALUE"));
	assert_true(push_header_check("X-Team:", &err) < 0);
	assert_true(push_header_check(": x", &err) < 0);
	assert_true(push_header_check("X Team: x", &err) < 0);
	assert_true(push_header_check("X-Team: a\r\nb", &err) < 0);
	assert_true(push_header_check("content-type: x", &err) < 0);
	assert_string_equal(err.text, "Content-Type is set by the agent");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_checked),
		cmocka_unit_test(the_path_of_the_call_stands_behind),
		cmocka_unit_test(headers_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
