/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "controller/core/session/epoch.h"

static void check(const char *stored, int64_t wall_s, int r, int64_t t, int64_t n)
{
	struct control_epoch epoch = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(epoch_next(stored, stored ? strlen(stored) : 0, wall_s, &epoch, &err), r);
	assert_int_equal(epoch.t, t);
	assert_int_equal(epoch.n, n);
	assert_true((r < 0) == (err.text[0] != '\0'));
}

static void the_first_start_is_of_its_wall_clock(void **state)
{
	(void)state;
	check(NULL, 1000, 0, 1000, 1);
}

static void each_start_is_newer_whatever_the_clock_says(void **state)
{
	(void)state;
	check("{\"epoch\":{\"t\":1000,\"n\":1}}", 2000, 0, 1000, 2);
	check("{\"epoch\":{\"t\":1000,\"n\":41}}", 10, 0, 1000, 42);
}

static void what_is_no_epoch_is_not_guessed_at(void **state)
{
	(void)state;
	check("", 1000, -EINVAL, 0, 0);
	check("{}", 1000, -EINVAL, 0, 0);
	check("{\"epoch\":{\"t\":-1,\"n\":1}}", 1000, -EINVAL, 0, 0);
	check("{\"epoch\":{\"t\":1,\"n\":9223372036854775807}}", 1000, -EINVAL, 0, 0);
}

static void what_is_packed_is_unpacked(void **state)
{
	const struct control_epoch epoch = { .t = 1795232806, .n = 7 };
	char *text = control_epoch_pack(&epoch);

	(void)state;
	assert_string_equal(text, "{\"epoch\":{\"t\":1795232806,\"n\":7}}\n");
	check(text, 0, 0, 1795232806, 8);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_start_is_of_its_wall_clock),
		cmocka_unit_test(each_start_is_newer_whatever_the_clock_says),
		cmocka_unit_test(what_is_no_epoch_is_not_guessed_at),
		cmocka_unit_test(what_is_packed_is_unpacked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
