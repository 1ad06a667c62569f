/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/core/symbol/kallsyms.h"

static char name_tail[300];

static struct kallsyms *table_of(const char *const *line, size_t nr)
{
	struct kallsyms *kallsyms = kallsyms_new();

	for (size_t i = 0; i < nr; i++)
		kallsyms_add(kallsyms, line[i], strlen(line[i]));
	return kallsyms;
}

static void the_function_at_or_before_an_address_names_it(void **state)
{
	static const char *const line[] = {
		"0000000000000000 A fixed_percpu_data\n",
		"ffffffff81000000 t local_alias\n",
		"ffffffff81000000 T _stext\n",
		"ffffffff81000040 t do_one\n",
		"ffffffff81000030 t __pfx_do_one\n",
		"ffffffff82000000 D some_data\n",
		"ffffffffc0401000 t ext4_read\t[ext4]\n",
	};
	struct kallsyms *kallsyms = table_of(line, ARRAY_SIZE(line));

	(void)state;
	assert_true(kallsyms_finish(kallsyms));
	assert_string_equal(kallsyms_find(kallsyms, 0xffffffff81000000), "_stext");
	assert_string_equal(kallsyms_find(kallsyms, 0xffffffff81000030), "_stext");
	assert_string_equal(kallsyms_find(kallsyms, 0xffffffff8100003f), "_stext");
	assert_string_equal(kallsyms_find(kallsyms, 0xffffffff81000040), "do_one");
	assert_string_equal(kallsyms_find(kallsyms, 0xffffffffc0401010), "ext4_read [ext4]");
	assert_null(kallsyms_find(kallsyms, 0xffffffff80ffffff));
	assert_null(kallsyms_find(kallsyms, 0xffffffffffffffff));
	assert_null(kallsyms_find(kallsyms, 0x1000));
	kallsyms_free(kallsyms);
}

static void only_places_in_the_kernels_own_text_are_told(void **state)
{
	static const char *const line[] = {
		"ffffffff81000000 T _stext\n",
		"ffffffff81000040 t do_one\n",
		"ffffffff82000000 T _etext\n",
		"ffffffffc0401000 t ext4_read\t[ext4]\n",
	};
	struct kallsyms *kallsyms = table_of(line, ARRAY_SIZE(line));
	uint64_t offset = 0;

	(void)state;
	assert_true(kallsyms_finish(kallsyms));
	assert_true(kallsyms_offset(kallsyms, 0xffffffff81000044, &offset));
	assert_int_equal(offset, 0x44);
	assert_false(kallsyms_offset(kallsyms, 0xffffffff82000000, &offset));
	assert_false(kallsyms_offset(kallsyms, 0xffffffffc0401004, &offset));
	kallsyms_free(kallsyms);
}

static void without_the_capability_all_addresses_are_zero(void **state)
{
	static const char *const line[] = { "0000000000000000 T _stext\n",
					    "0000000000000000 t do_one\n" };
	struct kallsyms *kallsyms = table_of(line, ARRAY_SIZE(line));

	(void)state;
	assert_false(kallsyms_finish(kallsyms));
	kallsyms_free(kallsyms);
}

static void lines_that_are_none_are_passed_over(void **state)
{
	static const char *const line[] = { "",
					    "\n",
					    "zz",
					    "ffffffff81000000",
					    "ffffffff81000000 ",
					    "ffffffff81000000 T",
					    "ffffffff81000000 T ",
					    "ffffffff81000000_T_x" };
	struct kallsyms *kallsyms = table_of(line, ARRAY_SIZE(line));

	(void)state;
	assert_false(kallsyms_finish(kallsyms));
	kallsyms_free(kallsyms);
}

static void each_of_many_functions_has_its_name_whatever_the_order_of_asking(void **state)
{
	struct kallsyms *kallsyms = kallsyms_new();
	char line[400];

	(void)state;
	memset(name_tail, 'x', sizeof(name_tail));
	for (uint64_t i = 0; i < 20000; i++) {
		int len = snprintf(line, sizeof(line), "%" PRIx64 " t function_%" PRIu64 "_%.*s\n",
				   0xffffffff81000000 + 16 * i, i, (int)(i % 300), name_tail);

		kallsyms_add(kallsyms, line, (size_t)len);
	}
	assert_true(kallsyms_finish(kallsyms));
	for (uint64_t j = 0; j < 20000; j++) {
		uint64_t i = j * 7919 % 20000;

		snprintf(line, sizeof(line), "function_%" PRIu64 "_%.*s", i, (int)(i % 300),
			 name_tail);
		assert_string_equal(kallsyms_find(kallsyms, 0xffffffff81000000 + 16 * i + 3), line);
	}
	kallsyms_free(kallsyms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_function_at_or_before_an_address_names_it),
		cmocka_unit_test(each_of_many_functions_has_its_name_whatever_the_order_of_asking),
		cmocka_unit_test(only_places_in_the_kernels_own_text_are_told),
		cmocka_unit_test(without_the_capability_all_addresses_are_zero),
		cmocka_unit_test(lines_that_are_none_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
