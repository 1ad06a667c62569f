/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/symbolize/kernel_names.h"

#define BASE 0xffffffff81000000ULL

/* A file with `nr` functions f0, f1, ..., 16 bytes each. */
static void write_symbols(const char *path, uint64_t nr)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	for (uint64_t i = 0; i < nr; i++)
		fprintf(file, "%016llx T f%" PRIu64 "\n", BASE + 16 * i, i);
	fclose(file);
}

static void temp_path(char *path)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
}

static void a_table_is_read_in_slices_and_no_line_is_torn(void **state)
{
	char path[] = "/tmp/rubato-kallsyms-XXXXXX";
	struct kernel_names *names;
	int steps = 0;

	(void)state;
	temp_path(path);
	write_symbols(path, 20000);
	names = kernel_names_new(path, "/nowhere/modules", 0);
	assert_false(kernel_names_known(names));
	while (kernel_names_reading(names) && steps < 1000) {
		kernel_names_step(names);
		steps++;
	}
	assert_in_range(steps, 5, 20);
	for (uint64_t i = 0; i < 20000; i++) {
		char want[16];

		snprintf(want, sizeof(want), "f%" PRIu64, i);
		assert_string_equal(kernel_names_find(names, BASE + 16 * i + 3, 0), want);
	}
	kernel_names_free(names);
	unlink(path);
}

static void an_unknown_address_begins_another_reading_but_not_often(void **state)
{
	char path[] = "/tmp/rubato-kallsyms-XXXXXX";
	const int64_t first = KERNEL_NAMES_REFRESH_NS, second = first + 2 * first;
	struct kernel_names *names;

	(void)state;
	temp_path(path);
	write_symbols(path, 10);
	names = kernel_names_new(path, "/nowhere/modules", 0);
	kernel_names_need(names);
	assert_null(kernel_names_find(names, BASE - 1, first - 1));
	assert_false(kernel_names_reading(names));
	assert_null(kernel_names_find(names, BASE - 1, first));
	assert_true(kernel_names_reading(names));
	assert_string_equal(kernel_names_find(names, BASE, first), "f0");
	while (kernel_names_reading(names))
		kernel_names_step(names);
	assert_null(kernel_names_find(names, BASE - 1, second - 1));
	assert_false(kernel_names_reading(names));
	assert_null(kernel_names_find(names, BASE - 1, second));
	assert_true(kernel_names_reading(names));
	kernel_names_free(names);
	unlink(path);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void when_modules_come_or_go_the_table_is_read_again(void **state)
{
	char path[] = "/tmp/rubato-kallsyms-XXXXXX", modules[] = "/tmp/rubato-modules-XXXXXX";
	struct kernel_names *names;
	uint32_t version;

	(void)state;
	temp_path(path);
	temp_path(modules);
	write_text(path, "ffffffff81000000 T _stext\nffffffffc0001000 t old\t[a]\n");
	write_text(modules, "a 16384 0 - Live 0xffffffffc0001000\n");
	names = kernel_names_new(path, modules, 0);
	kernel_names_need(names);
	version = kernel_names_version(names);
	assert_string_equal(kernel_names_find(names, 0xffffffffc0001008, 0), "old [a]");
	/* Who uses it is no news. */
	write_text(modules, "a 16384 7 b,c, Live 0xffffffffc0001000\n");
	kernel_names_check(names, 0);
	assert_false(kernel_names_reading(names));
	write_text(path, "ffffffff81000000 T _stext\nffffffffc0001000 t new\t[z]\n");
	write_text(modules, "z 16384 7 b,c, Live 0xffffffffc0001000\n");
	kernel_names_check(names, 0);
	assert_true(kernel_names_reading(names));
	while (kernel_names_reading(names))
		kernel_names_step(names);
	assert_string_equal(kernel_names_find(names, 0xffffffffc0001008, 0), "new [z]");
	assert_int_equal(kernel_names_version(names), version + 1);
	kernel_names_free(names);
	unlink(path);
	unlink(modules);
}

static void without_the_file_nothing_is_known(void **state)
{
	struct kernel_names *names = kernel_names_new("/nowhere/kallsyms", "/nowhere/modules", 0);

	(void)state;
	kernel_names_need(names);
	assert_false(kernel_names_reading(names));
	assert_false(kernel_names_known(names));
	assert_null(kernel_names_find(names, BASE, 0));
	kernel_names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_is_read_in_slices_and_no_line_is_torn),
		cmocka_unit_test(an_unknown_address_begins_another_reading_but_not_often),
		cmocka_unit_test(when_modules_come_or_go_the_table_is_read_again),
		cmocka_unit_test(without_the_file_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
