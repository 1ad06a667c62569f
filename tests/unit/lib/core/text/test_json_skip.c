/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "lib/core/text/json_skip.h"

#define TEXT_MAX 400
#define LEVELS 12

/* The same, byte by byte. */
static const char *slowly(const char *at, const char *end, bool *ret_too_deep)
{
	size_t depth = 0;
	bool in_string = false;

	*ret_too_deep = false;
	for (; at < end; at++) {
		if (in_string && *at == '\\')
			at++;
		else if (*at == '"')
			in_string = !in_string;
		else if (!in_string && strchr("{[", *at))
			*ret_too_deep |= ++depth > LEVELS;
		else if (!in_string && strchr("}]", *at) && --depth == 0)
			return *ret_too_deep ? NULL : at + 1;
		if (*ret_too_deep)
			return NULL;
	}
	return NULL;
}

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005 + 1442695040888963407;
	return *seed >> 33;
}

/* Of few letters, so that all that matters happens often; a backslash only where a string is. */
static size_t some_text(char text[TEXT_MAX], uint64_t *seed)
{
	static const char outside[] = "{}[]{}[]\"\"aa,: ", inside[] = "\"\\\\\\{}[]aaaaaaaaaaaa";
	size_t len = next(seed) % TEXT_MAX;
	bool in_string = false;

	text[0] = '{';
	for (size_t i = 1; i < len; i++) {
		text[i] = in_string ? inside[next(seed) % (sizeof(inside) - 1)]
				    : outside[next(seed) % (sizeof(outside) - 1)];
		if (in_string && text[i] == '\\' && i + 1 < len)
			text[++i] = inside[next(seed) % (sizeof(inside) - 1)];
		else if (text[i] == '"')
			in_string = !in_string;
	}
	return len ? len : 1;
}

static void it_is_the_same_as_byte_by_byte(void **state)
{
	size_t ended = 0, late = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 200000; seed++) {
		char text[TEXT_MAX];
		uint64_t turn = seed;
		size_t len = some_text(text, &turn);
		bool deep = false, deep_too = false;
		const char *end = slowly(text, text + len, &deep);

		if (json_skip_nested(text, text + len, LEVELS, &deep_too) != end ||
		    deep != deep_too)
			fail_msg("seed %llu: %.*s", (unsigned long long)seed, (int)len, text);
		ended += end != NULL;
		late += end && end > text + 64;
	}
	/* It was worth it. */
	assert_true(ended > 20000 && late > 500);
}

static void a_value_may_end_anywhere_in_a_block(void **state)
{
	(void)state;
	for (size_t fill = 0; fill < 200; fill++) {
		char text[256];
		bool deep;
		int len = snprintf(text, sizeof(text), "[\"%*s\\\"]\",{}]]", (int)fill, "");

		assert_ptr_equal(json_skip_nested(text, text + len, LEVELS, &deep), text + len - 1);
		assert_null(json_skip_nested(text, text + len - 2, LEVELS, &deep));
		assert_false(deep);
	}
}

static void levels_are_counted(void **state)
{
	static const char text[] = "[[[[]]]]";
	bool deep;

	(void)state;
	assert_non_null(json_skip_nested(text, text + 8, 4, &deep));
	assert_false(deep);
	assert_null(json_skip_nested(text, text + 8, 3, &deep));
	assert_true(deep);
	assert_null(json_skip_nested(text, text + 8, 0, &deep));
	assert_true(deep);
}

static void strings_end_at_a_quote_that_is_not_escaped(void **state)
{
	static const struct {
		const char *text;
		size_t len; /* 0 = it does not end */
	} some[] = { { "\"\"", 2 },	   { "\"a\"b\"", 3 },	  { "\"\\\"\"", 4 },
		     { "\"\\\\\"\"", 4 },  { "\"\\\\\\\"\"", 6 }, { "\"", 0 },
		     { "\"a", 0 },	   { "\"\\\"", 0 },	  { "\"\\\\\\\"", 0 },
		     { "\"\\\"\\\"\"", 6 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
		const char *text = some[i].text, *end = text + strlen(text);

		assert_ptr_equal(json_skip_string(text, end),
				 some[i].len ? text + some[i].len : NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_same_as_byte_by_byte),
		cmocka_unit_test(a_value_may_end_anywhere_in_a_block),
		cmocka_unit_test(levels_are_counted),
		cmocka_unit_test(strings_end_at_a_quote_that_is_not_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
