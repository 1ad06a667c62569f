/* SPDX-License-Identifier: Apache-2.0 */

/* Watches and lists come in pieces that may end anywhere. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kube/core/watch/json_lines.h"
#include "kube/core/watch/list_split.h"

#define BOUND 64

/* What comes out, joined: "line|line|" and "<item><item>(metadata)."; "!name|" is what was too long. */
static int lines_of(const char *text, size_t piece, char *out)
{
	struct json_lines lines;
	size_t len = strlen(text), n;
	const char *line;

	json_lines_init(&lines, BOUND);
	for (size_t at = 0; at < len; at += piece) {
		json_lines_feed(&lines, text + at, MIN(piece, len - at));
		while (json_lines_next(&lines, &line, &n)) {
			if (line)
				out += sprintf(out, "%.*s|", (int)n, line);
			else
				out += sprintf(out, "!%s|", lines.scan.found[OBJECT_SCAN_NAME]);
		}
		assert_true(lines.len <= BOUND + piece);
	}
	*out = '\0';
	json_lines_release(&lines);
	return 0;
}

static int parts_of(const char *text, size_t piece, char *out)
{
	static const char *const form[] = {
		[LIST_ITEM] = "<%.*s>", [LIST_METADATA] = "(%.*s)", [LIST_END] = "."
	};
	struct list_split split;
	size_t len = strlen(text), n = 0;
	enum list_part part = LIST_MORE;
	const char *got = "";
	int r = 0;

	list_split_init(&split, BOUND);
	for (size_t at = 0; r == 0 && at < len; at += piece) {
		list_split_feed(&split, text + at, MIN(piece, len - at));
		while ((r = list_split_next(&split, &part, &got, &n, NULL)) == 0 &&
		       (part == LIST_ITEM || part == LIST_METADATA || part == LIST_TOO_LONG)) {
			if (part == LIST_TOO_LONG)
				out += sprintf(out, "!%s|", split.scan.found[OBJECT_SCAN_NAME]);
			else
				out += sprintf(out, form[part], (int)n, got);
		}
		assert_true(split.len <= BOUND + piece);
	}
	if (r == 0 && part == LIST_END)
		out += sprintf(out, ".");
	*out = '\0';
	list_split_release(&split);
	return r;
}

static void check(int (*cut)(const char *, size_t, char *), const char *text, int wanted_r,
		  const char *wanted)
{
	char out[1024];

	for (size_t piece = 1; piece <= strlen(text); piece++) {
		assert_int_equal(cut(text, piece, out), wanted_r);
		if (wanted_r == 0)
			assert_string_equal(out, wanted);
	}
}

static void a_watch_is_cut_at_its_newlines(void **state)
{
	(void)state;
	check(lines_of, "{\"a\":1}\n{\"b\":\"\xc3\xa9\"}\n", 0, "{\"a\":1}|{\"b\":\"\xc3\xa9\"}|");
	check(lines_of, "{}\r\n\n\r\n{\"half", 0, "{}|");
}

#define LONG_EVENT                                                                                 \
	"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"long\"},\"x\":"                  \
	"\"........................................\"}}"
#define LONG_ITEM                                                                                  \
	"{\"x\":[{\"y\":\".......................................\"}],\"metadata\":{\"name\":"     \
	"\"long\"}}"

static void a_line_has_a_bound(void **state)
{
	char text[3 * BOUND], wanted[3 * BOUND];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	check(lines_of, text, 0, "");
	text[BOUND] = '\n';
	text[BOUND + 1] = '\0';
	memcpy(wanted, text, BOUND);
	memcpy(wanted + BOUND, "|", 2);
	check(lines_of, text, 0, wanted);
}

static void a_line_that_is_too_long_passes_by_and_says_whose_it_is(void **state)
{
	(void)state;
	check(lines_of, LONG_EVENT "\n", 0, "!long|");
	check(lines_of, "{}\n" LONG_EVENT "\n{\"a\":1}\n", 0, "{}|!long|{\"a\":1}|");
	check(lines_of, LONG_EVENT "\n" LONG_EVENT "\r\n\n{}\n", 0, "!long|!long|{}|");
	check(lines_of, "{}\n" LONG_EVENT, 0, "{}|");
}

static void another_stream_begins_without_the_line_that_passed_by(void **state)
{
	struct json_lines lines;
	const char *line;
	size_t n;

	(void)state;
	json_lines_init(&lines, BOUND);
	json_lines_feed(&lines, LONG_EVENT, strlen(LONG_EVENT));
	assert_false(json_lines_next(&lines, &line, &n));
	json_lines_reset(&lines);
	json_lines_feed(&lines, "{}\n", 3);
	assert_true(json_lines_next(&lines, &line, &n));
	assert_int_equal(n, 2);
	assert_false(json_lines_next(&lines, &line, &n));
	json_lines_release(&lines);
}

static void a_list_is_cut_into_items(void **state)
{
	(void)state;
	check(parts_of,
	      "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},"
	      "\"items\":[{\"a\":\"}]\\\"\"},\n {\"b\":[{}]}]}\n",
	      0, "({\"resourceVersion\":\"7\"})<{\"a\":\"}]\\\"\"}><{\"b\":[{}]}>.");
	check(parts_of, "{\"items\":[{\"metadata\":{}}],\"x\":-1.5e3,\"metadata\":{}}", 0,
	      "<{\"metadata\":{}}>({}).");
	check(parts_of, "{\"items\":[{\"s\":\"\xf0\x9f\x98\x80\"}]}", 0,
	      "<{\"s\":\"\xf0\x9f\x98\x80\"}>.");
}

static void items_may_be_missing(void **state)
{
	(void)state;
	check(parts_of, "{\"items\":null,\"metadata\":{}}", 0, "({}).");
	check(parts_of, "{ \"metadata\" : {} , \"items\" : [ ] }", 0, "({}).");
	check(parts_of, "{}", 0, ".");
}

static void what_is_cut_off_has_no_end(void **state)
{
	(void)state;
	check(parts_of, "{\"items\":[{},{\"a\":", 0, "<{}>");
}

static void what_is_no_list_is_refused(void **state)
{
	(void)state;
	check(parts_of, "[]", -EINVAL, "");
	check(parts_of, "{\"items\":{}}", -EINVAL, "");
	check(parts_of, "{\"items\":[1]}", -EINVAL, "");
	check(parts_of, "{} {}", -EINVAL, "");
}

static void an_item_that_is_too_long_passes_by_and_says_whose_it_is(void **state)
{
	(void)state;
	check(parts_of, "{\"items\":[" LONG_ITEM "],\"metadata\":{}}", 0, "!long|({}).");
	check(parts_of, "{\"items\":[{}," LONG_ITEM " ," LONG_ITEM ",{\"a\":1}]}", 0,
	      "<{}>!long|!long|<{\"a\":1}>.");
	check(parts_of, "{\"items\":[" LONG_ITEM, 0, "!long|");
	check(parts_of, "{\"items\":[{\"a\":" LONG_ITEM, 0, "");
}

static void an_item_of_exactly_the_bound_is_taken(void **state)
{
	char item[BOUND + 1], text[2 * BOUND], wanted[2 * BOUND];

	(void)state;
	snprintf(item, sizeof(item), "{\"a\":%0*d}", BOUND - 6, 7);
	snprintf(text, sizeof(text), "{\"items\":[%s]}", item);
	snprintf(wanted, sizeof(wanted), "<%s>.", item);
	check(parts_of, text, 0, wanted);
	snprintf(text, sizeof(text), "{\"items\":[{\"a\":%0*d}]}", BOUND - 5, 7);
	check(parts_of, text, 0, "!|.");
}

static void the_other_members_of_a_list_have_a_bound(void **state)
{
	char text[3 * BOUND];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "{\"metadata\":{\"", 14);
	text[sizeof(text) - 1] = '\0';
	check(parts_of, text, -EMSGSIZE, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_watch_is_cut_at_its_newlines),
		cmocka_unit_test(a_line_has_a_bound),
		cmocka_unit_test(a_line_that_is_too_long_passes_by_and_says_whose_it_is),
		cmocka_unit_test(another_stream_begins_without_the_line_that_passed_by),
		cmocka_unit_test(a_list_is_cut_into_items),
		cmocka_unit_test(items_may_be_missing),
		cmocka_unit_test(what_is_cut_off_has_no_end),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(an_item_that_is_too_long_passes_by_and_says_whose_it_is),
		cmocka_unit_test(an_item_of_exactly_the_bound_is_taken),
		cmocka_unit_test(the_other_members_of_a_list_have_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
