/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/core/model/array_index.h"
#include "lib/core/hash.h"

static void an_empty_index_has_nothing(void **state)
{
	struct array_index index = { 0 };
	struct array_index_walk walk = array_index_walk(&index, 7);

	(void)state;
	assert_int_equal(array_index_next(&walk), ARRAY_INDEX_NONE);
	array_index_release(&index);
}

static void each_element_is_found_by_its_hash(void **state)
{
	struct array_index index = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		array_index_add(&index, hash_u64(i), i);
	for (uint32_t i = 0; i < 10000; i++) {
		struct array_index_walk walk = array_index_walk(&index, hash_u64(i));
		uint32_t found = array_index_next(&walk);

		while (found != i && found != ARRAY_INDEX_NONE)
			found = array_index_next(&walk);
		assert_int_equal(found, i);
	}
	assert_int_equal(index.nr, 10000);
	array_index_release(&index);
}

static void all_elements_of_one_hash_are_walked(void **state)
{
	struct array_index index = { 0 };
	struct array_index_walk walk;
	uint32_t sum = 0;

	(void)state;
	/* One hash, at the end of the slots; its neighbours are of others. */
	for (uint32_t i = 0; i < 100; i++)
		array_index_add(&index, i % 2 ? UINT64_MAX : i, i);
	walk = array_index_walk(&index, UINT64_MAX);
	for (uint32_t i = 0; i < 50; i++)
		sum += array_index_next(&walk);
	assert_int_equal(sum, 2500);
	assert_int_equal(array_index_next(&walk), ARRAY_INDEX_NONE);
	array_index_release(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_index_has_nothing),
		cmocka_unit_test(each_element_is_found_by_its_hash),
		cmocka_unit_test(all_elements_of_one_hash_are_walked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
