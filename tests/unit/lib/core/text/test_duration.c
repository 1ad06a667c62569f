/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "lib/core/text/duration.h"

static void check(const char *text, int64_t ns)
{
	struct err err = ERR_INIT;
	int64_t got = -1;

	if (duration_parse(text, &got, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(got == ns);
}

static void check_refused(const char *text, int code, const char *sentence)
{
	struct err err = ERR_INIT;
	int64_t got = 77;

	assert_int_equal(duration_parse(text, &got, &err), code);
	assert_string_equal(err.text, sentence);
	assert_true(got == 77);
}

static void check_format(int64_t ns, const char *expected)
{
	char text[DURATION_TEXT_MAX];

	duration_format(ns, text);
	assert_string_equal(text, expected);
}

static void durations_read_as_in_go(void **state)
{
	(void)state;
	check("0", 0);
	check("15m", 900 * NSEC_PER_SEC);
	check("1h30m", 5400 * NSEC_PER_SEC);
	check("1.5s", 1500 * NSEC_PER_MSEC);
	check("500ms", 500 * NSEC_PER_MSEC);
	check("-2us", -2000);
	check("3\xc2\xb5s", 3000);
	check(".5s", 500 * NSEC_PER_MSEC);
	check("1.s", NSEC_PER_SEC);
	check("0.3s", 300 * NSEC_PER_MSEC);
	check("0.000000001s", 1);
	check("2562047h47m16.854775807s", INT64_MAX);
}

static void what_is_no_duration_is_refused(void **state)
{
	(void)state;
	check_refused("", -EINVAL, "\"\" is not a duration such as 15s");
	check_refused("5x", -EINVAL, "\"5x\" is not a duration such as 15s");
	check_refused("5", -EINVAL, "\"5\" is not a duration such as 15s");
	check_refused(".s", -EINVAL, "\".s\" is not a duration such as 15s");
	check_refused("1s ", -EINVAL, "\"1s \" is not a duration such as 15s");
	check_refused("1s0", -EINVAL, "\"1s0\" is not a duration such as 15s");
	check_refused("--1s", -EINVAL, "\"--1s\" is not a duration such as 15s");
	check_refused("9999999h", -ERANGE, "\"9999999h\" is longer than 292 years");
	check_refused("99999999999999999999ns", -ERANGE,
		      "\"99999999999999999999ns\" is longer than 292 years");
}

static void durations_are_written_as_in_go(void **state)
{
	(void)state;
	check_format(0, "0s");
	check_format(1, "1ns");
	check_format(1100, "1.1\xc2\xb5s");
	check_format(2200 * 1000, "2.2ms");
	check_format(3300 * NSEC_PER_MSEC, "3.3s");
	check_format(900 * NSEC_PER_SEC, "15m0s");
	check_format(5400 * NSEC_PER_SEC, "1h30m0s");
	check_format(3600 * NSEC_PER_SEC + 1001 * NSEC_PER_MSEC, "1h0m1.001s");
	check_format(-1500 * NSEC_PER_MSEC, "-1.5s");
	check_format(INT64_MAX, "2562047h47m16.854775807s");
	check_format(INT64_MIN, "-2562047h47m16.854775808s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_read_as_in_go),
		cmocka_unit_test(what_is_no_duration_is_refused),
		cmocka_unit_test(durations_are_written_as_in_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
