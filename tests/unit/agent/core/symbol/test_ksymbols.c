/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/core/symbol/ksymbols.h"

static void take(struct ksymbols *ksymbols, uint64_t start, uint64_t end, const char *name)
{
	struct sideband_symbol symbol = { .start = start, .end = end, .gone = !name };

	if (name)
		snprintf(symbol.name, sizeof(symbol.name), "%s", name);
	ksymbols_take(ksymbols, &symbol);
}

static void check(const struct ksymbols *ksymbols, uint64_t addr, const char *wanted)
{
	const char *name = ksymbols_find(ksymbols, addr);

	if (wanted)
		assert_string_equal(name, wanted);
	else
		assert_null(name);
}

static void a_function_has_its_own_addresses_and_no_others(void **state)
{
	struct ksymbols *ksymbols = ksymbols_new();

	(void)state;
	check(ksymbols, 100, NULL);
	take(ksymbols, 200, 300, "b");
	take(ksymbols, 100, 150, "a");
	check(ksymbols, 99, NULL);
	check(ksymbols, 100, "a");
	check(ksymbols, 149, "a");
	check(ksymbols, 150, NULL);
	check(ksymbols, 299, "b");
	check(ksymbols, 300, NULL);
	ksymbols_free(ksymbols);
}

static void the_later_one_takes_the_place_of_all_that_it_covers(void **state)
{
	struct ksymbols *ksymbols = ksymbols_new();

	(void)state;
	for (uint64_t i = 0; i < 10; i++)
		take(ksymbols, 100 * i, 100 * i + 50, "old");
	take(ksymbols, 120, 620, "new");
	check(ksymbols, 110, NULL);
	check(ksymbols, 301, "new");
	check(ksymbols, 625, NULL);
	check(ksymbols, 701, "old");
	assert_int_equal(ksymbols_nr(ksymbols), 5);
	ksymbols_free(ksymbols);
}

static void one_that_went_keeps_its_name_for_a_while(void **state)
{
	struct ksymbols *ksymbols = ksymbols_new();

	(void)state;
	take(ksymbols, 100, 150, "a");
	take(ksymbols, 200, 250, "b");
	take(ksymbols, 100, 150, NULL);
	take(ksymbols, 900, 950, NULL);
	check(ksymbols, 110, "a");
	ksymbols_forget_gone(ksymbols);
	check(ksymbols, 110, NULL);
	check(ksymbols, 210, "b");
	ksymbols_free(ksymbols);
}

static void there_is_a_bound(void **state)
{
	struct ksymbols *ksymbols = ksymbols_new();

	(void)state;
	for (uint64_t i = 0; i < KSYMBOLS_MAX + 10; i++)
		take(ksymbols, 100 * i, 100 * i + 50, "x");
	assert_int_equal(ksymbols_nr(ksymbols), KSYMBOLS_MAX);
	take(ksymbols, 100, 150, "y");
	check(ksymbols, 101, "y");
	ksymbols_free(ksymbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_has_its_own_addresses_and_no_others),
		cmocka_unit_test(the_later_one_takes_the_place_of_all_that_it_covers),
		cmocka_unit_test(one_that_went_keeps_its_name_for_a_while),
		cmocka_unit_test(there_is_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
