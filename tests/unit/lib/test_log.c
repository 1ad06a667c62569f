/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/log.h"
#include "lib/core/text/json.h"

#define WALL 1769860800123456789LL

static void check(bool json, const char *value, const char *expected)
{
	const struct log_field field = LOG_STR("node", value);
	char line[LOG_LINE_MAX];
	size_t len = log_format_line(line, sizeof(line), json, WALL, LOG_LEVEL_WARN, "plan refused",
				     &field, 1);

	assert_int_equal(len, strlen(expected));
	assert_memory_equal(line, expected, len);
}

#define TEXT "2026-01-31T12:00:00.123Z WARN  plan refused node="
#define JSON                                                                                       \
	"{\"ts\":\"2026-01-31T12:00:00.123Z\",\"level\":\"warn\",\"msg\":\"plan "                  \
	"refused\",\"node\":"

static void a_line_has_time_level_message_and_fields(void **state)
{
	(void)state;
	check(false, "worker-1", TEXT "worker-1");
	check(false, "two words", TEXT "\"two words\"");
	check(false, NULL, TEXT "\"\"");
	check(true, "worker-1", JSON "\"worker-1\"}");
}

static void nobody_can_forge_a_line(void **state)
{
	(void)state;
	check(false, "a\nb\x1b[2J", TEXT "\"a\\nb\\u001b[2J\"");
	check(true, "\"\\\xff\xc2\x9b", JSON "\"\\\"\\\\\\\\xff\\u009b\"}");
	check(true,
	      "\xe2\x80\xae"
	      "x",
	      JSON "\"\\u202ex\"}");
	check(true, "\xed\xa0\x80", JSON "\"\\\\xed\\\\xa0\\\\x80\"}");
}

static void numbers_keep_their_types(void **state)
{
	const struct log_field field[] = { LOG_INT("a", -1), LOG_UINT("b", UINT64_MAX),
					   LOG_REAL("c", 0.5), LOG_BOOL("d", true) };
	static const char expected[] = "\"a\":-1,\"b\":18446744073709551615,\"c\":0.5,\"d\":true}";
	char line[LOG_LINE_MAX];
	size_t len = log_format_line(line, sizeof(line), true, WALL, LOG_LEVEL_INFO, "m", field, 4);

	(void)state;
	line[len] = '\0';
	assert_non_null(strstr(line, expected));
}

static void a_long_line_is_cut_and_stays_json(void **state)
{
	char value[6000];
	struct log_field field[4];
	char line[LOG_LINE_MAX];
	size_t len;
	json_auto_t *json = NULL;

	(void)state;
	memset(value, 1, sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (size_t i = 0; i < 4; i++)
		field[i] = LOG_STR(i ? "other" : "first", value);
	value[700] = '\0';
	len = log_format_line(line, sizeof(line), true, WALL, LOG_LEVEL_INFO, "m", field, 4);
	assert_true(len <= sizeof(line));
	json = json_loadb(line, len, 0, NULL);
	assert_non_null(json);
	assert_true(json_is_true(json_object_get(json, "cut")));
	assert_non_null(json_object_get(json, "first"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_time_level_message_and_fields),
		cmocka_unit_test(nobody_can_forge_a_line),
		cmocka_unit_test(numbers_keep_their_types),
		cmocka_unit_test(a_long_line_is_cut_and_stays_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
