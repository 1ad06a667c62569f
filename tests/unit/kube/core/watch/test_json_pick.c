/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "kube/core/watch/json_pick.h"
#include "lib/core/text/json.h"

#define DEPTH 8

static const struct json_keep inner[] = { { .name = "x" },
					  { .name = "pre.", .prefix = true },
					  { .name = NULL } };
static const struct json_keep keep[] = { { .name = "a" },
					 { .name = "b", .member = inner },
					 { .name = NULL } };

static void gives(const char *text, const char *expected)
{
	json_auto_t *json = NULL;
	cleanup(freep) char *dumped = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(json_pick(text, strlen(text), keep, DEPTH, &json, &err), 0);
	dumped = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	assert_string_equal(dumped, expected);
}

/* `sentence` NULL: whatever it says. */
static void refuses(const char *text, const char *sentence)
{
	json_t *json = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(json_pick(text, strlen(text), keep, DEPTH, &json, &err), -EINVAL);
	assert_null(json);
	if (sentence)
		assert_string_equal(err.text, sentence);
}

static void only_what_is_named_is_left(void **state)
{
	(void)state;
	gives("{}", "{}");
	gives(" { \"a\" : 1 , \"c\" : {\"a\": [1, \"}\"]} } ", "{\"a\":1}");
	gives("{\"c\":\"\\\"{\",\"a\":{\"c\":[true, null]}}", "{\"a\":{\"c\":[true,null]}}");
	gives("{\"b\":{\"x\":1,\"y\":2,\"pre.fix\":3,\"pre.\":4,\"pre\":5}}",
	      "{\"b\":{\"x\":1,\"pre.fix\":3,\"pre.\":4}}");
	gives("{\"ab\":1,\"\":2}", "{}");
}

static void elements_of_an_array_are_held_against_the_same_names(void **state)
{
	(void)state;
	gives("{\"b\":[{\"y\":1,\"x\":2},{},[{\"x\":3}],7]}",
	      "{\"b\":[{\"x\":2},{},[{\"x\":3}],7]}");
	gives("{\"b\":[]}", "{\"b\":[]}");
}

static void another_type_than_expected_is_left_for_the_reader_to_judge(void **state)
{
	(void)state;
	gives("{\"b\":null}", "{\"b\":null}");
	gives("{\"b\":\"text\"}", "{\"b\":\"text\"}");
	gives("[1]", "[1]");
	gives("\"a\"", "\"a\"");
}

static void escapes_are_understood(void **state)
{
	(void)state;
	gives("{\"\\u0061\":1,\"b\":{\"\\\"\":2}}", "{\"a\":1,\"b\":{}}");
	gives("{\"a\":\"\\\"\\\\\",\"c\":\"\\\\\\\"\",\"b\":7}", "{\"a\":\"\\\"\\\\\",\"b\":7}");
	gives("{\"a\":[\"\\u00e4\",\"\xc3\xa4\"]}", "{\"a\":[\"\xc3\xa4\",\"\xc3\xa4\"]}");
}

static void what_is_kept_is_read_strictly(void **state)
{
	static const char *const text[] = {
		"{\"a\":1,\"a\":2}",	"{\"a\":1,\"\\u0061\":2}", "{\"a\":tru}",
		"{\"a\":01}",		"{\"a\":\"\xff\"}",	   "{\"a\":\"\n\"}",
		"{\"a\":\"\\x\"}",	"{\"a\":\"\\u0000\"}",	   "{\"b\":{\"x\":-}}",
		"{\"a\":{\"\xff\":1}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		refuses(text[i], NULL);
}

static void what_is_no_json_is_refused(void **state)
{
	static const char *const text[] = { "",		 "{",	       "{\"a\"",      "{\"a\":",
					    "{\"a\":1",	 "{\"a\":1,}", "{,}",	      "{\"c\":}",
					    "{\"c\":[}", "{1:2}",      "[1,]",	      "[1 2]",
					    "{} x",	 "{\"c\":\"",  "{\"c\":\"\\", "{\"b\":[1]",
					    "{\"c\" 1}", "]",	       "{\"a\"]" };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		refuses(text[i], NULL);
	refuses("{\"a\": 1,}", "not valid JSON at byte 8");
}

static void nesting_is_bounded_in_what_is_kept_and_in_what_is_not(void **state)
{
	(void)state;
	gives("{\"a\":[[[[[[[1]]]]]]]}", "{\"a\":[[[[[[[1]]]]]]]}");
	refuses("{\"a\":[[[[[[[[1]]]]]]]]}", "JSON is nested deeper than 8 levels");
	gives("{\"c\":[[[[[[[1]]]]]]]}", "{}");
	refuses("{\"c\":[[[[[[[[1]]]]]]]]}", "JSON is nested deeper than 8 levels");
	refuses("{\"b\":[[[[[[[[1]]]]]]]]}", "JSON is nested deeper than 8 levels");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_named_is_left),
		cmocka_unit_test(elements_of_an_array_are_held_against_the_same_names),
		cmocka_unit_test(another_type_than_expected_is_left_for_the_reader_to_judge),
		cmocka_unit_test(escapes_are_understood),
		cmocka_unit_test(what_is_kept_is_read_strictly),
		cmocka_unit_test(what_is_no_json_is_refused),
		cmocka_unit_test(nesting_is_bounded_in_what_is_kept_and_in_what_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
