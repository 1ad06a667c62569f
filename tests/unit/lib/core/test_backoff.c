/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/core/backoff.h"

#define FRESH                                                                                      \
	{                                                                                          \
		.base_ns = 100, .cap_ns = 1000, .steady_ns = 50                                    \
	}

static void the_bound_doubles_up_to_the_cap(void **state)
{
	static const int64_t longest[] = { 99, 199, 399, 799, 999, 999 };
	struct backoff backoff = FRESH;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(longest); i++)
		assert_int_equal(backoff_next(&backoff, 0, UINT64_MAX), longest[i]);
	backoff.failures = UINT32_MAX;
	assert_int_equal(backoff_next(&backoff, 0, UINT64_MAX), 999);
}

static void the_delay_is_spread_over_all_of_it(void **state)
{
	struct backoff backoff = FRESH;

	(void)state;
	assert_int_equal(backoff_next(&backoff, 0, 0), 0);
	assert_int_equal(backoff_next(&backoff, 0, UINT64_MAX / 2), 99);
}

static void a_failure_at_a_low_cap_makes_later_ones_no_longer(void **state)
{
	struct backoff backoff = FRESH;

	(void)state;
	backoff.cap_ns = 400;
	for (int i = 0; i < 20; i++)
		assert_true(backoff_next(&backoff, 0, UINT64_MAX) < 400);
	backoff.cap_ns = 1000;
	assert_int_equal(backoff_next(&backoff, 0, UINT64_MAX), 399);
	assert_int_equal(backoff_next(&backoff, 0, UINT64_MAX), 799);
}

static void only_who_stayed_up_begins_anew(void **state)
{
	struct backoff backoff = FRESH;

	(void)state;
	backoff_next(&backoff, 0, 0);
	backoff_next(&backoff, 0, 0);
	backoff_up(&backoff, 1000);
	assert_int_equal(backoff_next(&backoff, 1049, UINT64_MAX), 399);
	backoff_up(&backoff, 2000);
	assert_int_equal(backoff_next(&backoff, 2050, UINT64_MAX), 99);
}

static void a_huge_base_does_not_overflow(void **state)
{
	struct backoff backoff = { .base_ns = INT64_MAX - 1, .cap_ns = INT64_MAX, .failures = 40 };

	(void)state;
	assert_true(backoff_next(&backoff, 0, UINT64_MAX) == INT64_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bound_doubles_up_to_the_cap),
		cmocka_unit_test(the_delay_is_spread_over_all_of_it),
		cmocka_unit_test(a_failure_at_a_low_cap_makes_later_ones_no_longer),
		cmocka_unit_test(only_who_stayed_up_begins_anew),
		cmocka_unit_test(a_huge_base_does_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
