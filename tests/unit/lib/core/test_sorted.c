/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/core/sorted.h"

struct range {
	int from, to;
};

static int compare_from(const void *key, const void *element)
{
	int from = *(const int *)key;
	const struct range *range = element;

	return (from > range->from) - (from < range->from);
}

/* An equal one is before the key. */
static int compare_after(const void *key, const void *element)
{
	return compare_from(key, element) < 0 ? -1 : 1;
}

static const struct range ranges[] = { { 2, 3 }, { 5, 5 }, { 5, 6 }, { 9, 20 } };

static size_t place(int key, size_t nr, int (*compare)(const void *key, const void *element))
{
	return sorted_place(&key, ranges, nr, sizeof(*ranges), compare);
}

static void a_place_is_the_first_that_is_not_before(void **state)
{
	static const size_t want[] = { 0, 0, 0, 1, 1, 1, 3, 3, 3, 3, 4 };

	(void)state;
	for (int key = 0; key < (int)ARRAY_SIZE(want); key++)
		assert_int_equal(place(key, 4, compare_from), want[key]);
}

static void with_another_compare_it_is_the_first_after(void **state)
{
	static const size_t want[] = { 0, 0, 1, 1, 1, 3, 3, 3, 3, 4, 4 };

	(void)state;
	for (int key = 0; key < (int)ARRAY_SIZE(want); key++)
		assert_int_equal(place(key, 4, compare_after), want[key]);
}

static void find_gives_the_first_equal_one_or_null(void **state)
{
	int five = 5, six = 6, ten = 10;

	(void)state;
	assert_ptr_equal(sorted_find(&five, ranges, 4, sizeof(*ranges), compare_from), &ranges[1]);
	assert_null(sorted_find(&six, ranges, 4, sizeof(*ranges), compare_from));
	assert_null(sorted_find(&ten, ranges, 4, sizeof(*ranges), compare_from));
}

static void an_array_may_be_empty(void **state)
{
	int key = 1;

	(void)state;
	assert_int_equal(place(5, 0, compare_from), 0);
	assert_null(sorted_find(&key, NULL, 0, sizeof(*ranges), compare_from));
}

static void every_length_is_searched_whole(void **state)
{
	struct range many[40];

	(void)state;
	for (size_t nr = 0; nr <= ARRAY_SIZE(many); nr++) {
		for (size_t i = 0; i < nr; i++)
			many[i].from = 2 * (int)i;
		for (int key = -1; key <= 2 * (int)nr; key++) {
			struct range *at = sorted_find(&key, many, nr, sizeof(*many), compare_from);
			bool is_there = key >= 0 && key % 2 == 0 && key < 2 * (int)nr;

			assert_ptr_equal(at, is_there ? &many[key / 2] : NULL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_place_is_the_first_that_is_not_before),
		cmocka_unit_test(with_another_compare_it_is_the_first_after),
		cmocka_unit_test(find_gives_the_first_equal_one_or_null),
		cmocka_unit_test(an_array_may_be_empty),
		cmocka_unit_test(every_length_is_searched_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
