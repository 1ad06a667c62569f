/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/core/symbol/demangle.h"

static void check(const char *symbol, const char *expected)
{
	char out[DEMANGLE_OUTPUT];

	assert_int_equal(demangle(symbol, out), strlen(expected));
	assert_string_equal(out, expected);
}

static void cplus_names_lose_parameters_and_keep_templates(void **state)
{
	(void)state;
	check("_ZN3foo3barIiEEvT_", "foo::bar<int>");
	check("_ZNSt6vectorIiSaIiEE9push_backERKi",
	      "std::vector<int, std::allocator<int> >::push_back");
	check("_ZN3fooC2Ev", "foo::foo");
}

static void rust_names_lose_their_hash(void **state)
{
	(void)state;
	check("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt");
	check("_RNvCs1234_7mycrate3foo", "mycrate::foo");
}

static void what_is_not_mangled_stays(void **state)
{
	(void)state;
	check("main", "main");
	check("_Zigzag", "_Zigzag");
	check("_R", "_R");
	check("", "");
	check("a\x01\xff z", "a?? z");
}

/* Each argument is a pair of the one before: a hundred bytes that unfold into millions. */
static void a_name_that_unfolds_without_end_is_left_mangled(void **state)
{
	static const char digit[] = "123456789ABCDEFGHIJK";
	char bomb[512] = "_Z1fISt4pairIiiE", out[DEMANGLE_OUTPUT];

	(void)state;
	for (size_t i = 0; i < 2; i++)
		sprintf(bomb + strlen(bomb), "S0_IS%c_S%c_E", digit[i], digit[i]);
	strcpy(out, bomb);
	strcat(out, "Evv");
	check(out, "f<std::pair<int, int>, std::pair<std::pair<int, int>, std::pair<int, int> >, "
		   "std::pair<std::pair<std::pair<int, int>, std::pair<int, int> >, "
		   "std::pair<std::pair<int, int>, std::pair<int, int> > > >");
	for (size_t i = 2; i < sizeof(digit) - 1; i++)
		sprintf(bomb + strlen(bomb), "S0_IS%c_S%c_E", digit[i], digit[i]);
	strcat(bomb, "Evv");
	demangle(bomb, out);
	assert_string_equal(out, bomb);
}

static void a_name_that_is_too_long_is_left_mangled(void **state)
{
	char symbol[3000] = "_ZN2999", out[DEMANGLE_OUTPUT];

	(void)state;
	memset(symbol + 7, 'a', sizeof(symbol) - 8);
	assert_int_equal(demangle(symbol, out), strlen(symbol));
	assert_string_equal(out, symbol);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cplus_names_lose_parameters_and_keep_templates),
		cmocka_unit_test(rust_names_lose_their_hash),
		cmocka_unit_test(what_is_not_mangled_stays),
		cmocka_unit_test(a_name_that_unfolds_without_end_is_left_mangled),
		cmocka_unit_test(a_name_that_is_too_long_is_left_mangled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
