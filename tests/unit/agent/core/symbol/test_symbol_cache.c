/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/core/symbol/symbol_cache.h"
#include "agent/core/profile/profile.h"

static void what_was_put_is_found_and_nothing_else(void **state)
{
	struct symbol_cache *cache = symbol_cache_new();
	struct symbol_name name;
	char text[32];

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "function_%u", i / 2);
		symbol_cache_put(cache, 1 + i % 3, i,
				 &(struct symbol_name){ .text = text, .found = i % 2 });
	}
	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "function_%u", i / 2);
		assert_true(symbol_cache_get(cache, 1 + i % 3, i, &name));
		assert_string_equal(name.text, text);
		assert_string_equal(name.system, text);
		assert_int_equal(name.found, i % 2);
	}
	assert_false(symbol_cache_get(cache, 9, 1, &name));
	assert_false(symbol_cache_get(cache, 1, 5001, &name));
	symbol_cache_free(cache);
}

static void too_many_are_forgotten_and_never_more_than_the_bound_is_kept(void **state)
{
	struct symbol_cache *cache = symbol_cache_new();

	(void)state;
	for (uint32_t i = 0; i < 2 * SYMBOL_CACHE_HARD * SYMBOL_CACHE_MAX; i++)
		symbol_cache_put(cache, 2, i, &(struct symbol_name){ .text = "f" });
	assert_int_equal(symbol_cache_nr(cache), SYMBOL_CACHE_HARD * SYMBOL_CACHE_MAX);
	for (uint32_t i = 0; i < 100; i++)
		symbol_cache_put(cache, 3, i, &(struct symbol_name){ .text = "f" });
	assert_int_equal(symbol_cache_nr(cache), SYMBOL_CACHE_HARD * SYMBOL_CACHE_MAX);
	symbol_cache_trim(cache);
	assert_int_equal(symbol_cache_nr(cache), 0);
	symbol_cache_free(cache);
}

static void what_was_not_asked_for_is_forgotten_first(void **state)
{
	struct symbol_cache *cache = symbol_cache_new();
	struct symbol_name name;
	char text[32];

	(void)state;
	symbol_cache_put(cache, 9, 1, &(struct symbol_name){ .text = "asked", .found = true });
	symbol_cache_put(cache, 9, 2, &(struct symbol_name){ .text = "not asked" });
	for (uint32_t round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < SYMBOL_CACHE_MAX; i++) {
			snprintf(text, sizeof(text), "f%u.%u", round, i);
			symbol_cache_put(cache, 2 + round, i,
					 &(struct symbol_name){ .text = text });
		}
		symbol_cache_age(cache);
		assert_true(symbol_cache_touch(cache, 9, 1, &name));
		assert_string_equal(name.text, "asked");
		assert_true(name.found);
		/* All of the last round are still there. */
		for (uint32_t i = 0; i < SYMBOL_CACHE_MAX; i++)
			assert_true(symbol_cache_get(cache, 2 + round, i, &name));
	}
	assert_false(symbol_cache_get(cache, 9, 2, &name));
	assert_in_range(symbol_cache_nr(cache), SYMBOL_CACHE_MAX, 2 * SYMBOL_CACHE_MAX + 10);
	symbol_cache_free(cache);
}

static void equal_stacks_are_one_row_and_the_sum_is_kept(void **state)
{
	static const struct frame a[] = { { 1, 5 }, { 2, 5 } }, b[] = { { 2, 5 }, { 1, 5 } };
	struct profile *profile = profile_new();

	(void)state;
	for (int i = 0; i < 100; i++) {
		profile_add(profile, a, 2, 3, 1);
		profile_add(profile, b, 2, 4, 2);
		profile_add(profile, a, 1, 5, 1);
	}
	assert_int_equal(profile->row_nr, 3);
	assert_int_equal(profile->frame_nr, 2);
	assert_int_equal(profile->cpu_ns, 1200);
	assert_int_equal(profile->samples, 400);
	assert_int_equal(profile->row[0].cpu_ns, 300);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_found_and_nothing_else),
		cmocka_unit_test(too_many_are_forgotten_and_never_more_than_the_bound_is_kept),
		cmocka_unit_test(what_was_not_asked_for_is_forgotten_first),
		cmocka_unit_test(equal_stacks_are_one_row_and_the_sum_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
