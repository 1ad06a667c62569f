/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/sysmacros.h>

#include "agent/core/symbol/procmap.h"

static struct procmap_line line;

static bool parse(const char *text)
{
	return procmap_parse(text, strlen(text), &line);
}

static void a_mapping_of_a_file_is_read(void **state)
{
	(void)state;
	assert_true(parse("7f0c8a428000-7f0c8a57d000 r-xp 00028000 fe:01 1835080"
			  "                    /usr/lib/libc.so.6\n"));
	assert_int_equal(line.start, 0x7f0c8a428000);
	assert_int_equal(line.end, 0x7f0c8a57d000);
	assert_int_equal(line.offset, 0x28000);
	assert_int_equal(line.dev, makedev(0xfe, 1));
	assert_int_equal(line.ino, 1835080);
	assert_int_equal(line.kind, PROCMAP_FILE);
	assert_true(line.executable);
	assert_false(line.deleted);
	assert_string_equal(line.path, "/usr/lib/libc.so.6");
}

static void escapes_and_deleted_files_are_understood(void **state)
{
	(void)state;
	assert_true(parse("1000-2000 r-xp 00000000 08:02 9 /a b\\012c\\134d (deleted)"));
	assert_string_equal(line.path, "/a b\nc\\d");
	assert_true(line.deleted);
	assert_true(parse("1000-2000 r-xp 00000000 08:02 9 /x\\9\\000\\777"));
	assert_string_equal(line.path, "/x\\9\\000\\777");
}

static void check_kind(const char *path, enum procmap_kind kind)
{
	char text[256] = "1000-2000 r-xp 00000000 00:01 7 ";

	strcat(text, path);
	assert_true(parse(text));
	assert_int_equal(line.kind, kind);
}

static void memory_that_is_no_file_is_told_apart(void **state)
{
	(void)state;
	check_kind("[vdso]", PROCMAP_VDSO);
	check_kind("", PROCMAP_ANON);
	check_kind("[heap]", PROCMAP_ANON);
	check_kind("/memfd:jit (deleted)", PROCMAP_ANON);
	check_kind("/SYSV00000000 (deleted)", PROCMAP_ANON);
	check_kind("anon_inode:[perf_event]", PROCMAP_ANON);
	check_kind("/opt/app", PROCMAP_FILE);
	assert_true(parse("1000-2000 r-xp 00000000 00:00 0 \n"));
	assert_int_equal(line.kind, PROCMAP_ANON);
}

static void what_is_no_mapping_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"-",
		"1000",
		"1000-2000",
		"1000-2000 r-x",
		"2000-1000 r-xp 0 8:2 9 /a",
		"1000-1000 r-xp 0 8:2 9 /a",
		"11112222333344445-2 r-xp 0 8:2 9 /a",
		"1000-2000 r-xp zz 8:2 9 /a",
		"1000-2000 r-xp 0 100000000:2 9 /a",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(parse(bad[i]));
}

static void a_path_that_is_too_long_is_cut(void **state)
{
	static char text[3 * PROCMAP_PATH_BYTES] = "1000-2000 r-xp 0 8:2 9 /";
	size_t len = strlen(text);

	(void)state;
	memset(text + len, 'a', sizeof(text) - len);
	assert_true(procmap_parse(text, sizeof(text), &line));
	assert_int_equal(line.path_len, PROCMAP_PATH_BYTES);
	assert_int_equal(strlen(line.path), PROCMAP_PATH_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mapping_of_a_file_is_read),
		cmocka_unit_test(escapes_and_deleted_files_are_understood),
		cmocka_unit_test(memory_that_is_no_file_is_told_apart),
		cmocka_unit_test(what_is_no_mapping_is_refused),
		cmocka_unit_test(a_path_that_is_too_long_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
