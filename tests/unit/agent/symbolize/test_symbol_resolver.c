/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the kernel's functions in a whole profile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/core/model/sample.h"
#include "agent/symbolize/symbolize.h"
#include "tests/unit/agent/read_pprof.h"

#define MANY 60000
#define KERNEL_TEXT 0xffffffff81000000ULL
#define STACK_FRAMES 120

static Pprof__Profile *encode(struct symbolizer *symbolizer, const struct profile *profile)
{
	static const struct profile_meta meta = {
		.ns = "n", .pod = "p", .container = "c", .rate_hz = 19
	};
	struct err err = ERR_INIT;
	cleanup(freep) uint8_t *data = NULL;
	size_t len = 0;

	assert_int_equal(symbolizer_encode(symbolizer, profile, &meta, &data, &len, &err), 0);
	return read_pprof(data, len);
}

/* A procfs with the functions of a kernel; the caller removes it. */
static void make_proc(char dir[64], size_t nr)
{
	char path[128];
	FILE *file;

	strcpy(dir, "/tmp/rubato-proc-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/kallsyms", dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "%llx T _stext\n", KERNEL_TEXT - 16);
	for (size_t i = 0; i < nr; i++)
		fprintf(file,
			"%llx t "
			"a_function_with_a_rather_long_name_such_as_templates_have_when_they_are_"
			"instantiated_%zu\n",
			KERNEL_TEXT + 16 * i, i);
	fprintf(file, "%llx T _etext\n", KERNEL_TEXT + 16 * nr);
	fclose(file);
}

static void remove_proc(const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/kallsyms", dir);
	unlink(path);
	rmdir(dir);
}

static void add_kernel_stack(struct symbolizer *symbolizer, struct profile *profile,
			     const uint64_t *kernel, size_t nr)
{
	struct sample sample = {
		.rate_hz = 19, .cpu_ns = 1, .samples = 1, .kernel = kernel, .kernel_nr = nr
	};

	symbolizer_add(symbolizer, profile, &sample);
}

static void sixty_thousand_names_of_one_profile_are_all_there(void **state)
{
	char dir[64];
	struct symbolizer_options options = { .proc = dir };
	struct symbolizer_stats stats;
	struct symbolizer *symbolizer;
	struct profile *profile = profile_new();
	uint64_t kernel[STACK_FRAMES];
	Pprof__Profile *read;

	(void)state;
	make_proc(dir, MANY);
	symbolizer = symbolizer_new(&options);
	for (size_t i = 0; i < MANY; i += STACK_FRAMES) {
		for (size_t j = 0; j < STACK_FRAMES; j++)
			kernel[j] = KERNEL_TEXT + 16 * (i + j) + 1;
		add_kernel_stack(symbolizer, profile, kernel, STACK_FRAMES);
	}
	symbolizer_resolve(symbolizer, &profile, 1);
	read = encode(symbolizer, profile);
	assert_int_equal(read->n_function, MANY);
	for (size_t i = 0; i < read->n_function; i++)
		assert_non_null(strstr(text_of(read, read->function[i]->name), "rather_long_name"));
	symbolizer_stats(symbolizer, &stats);
	assert_int_equal(stats.frames_resolved, MANY);
	assert_int_equal(stats.frames_unresolved, 0);
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
	symbolizer_free(symbolizer);
	remove_proc(dir);
}

static void no_address_of_the_kernel_is_told(void **state)
{
	static const uint64_t kernel[] = { KERNEL_TEXT + 20, KERNEL_TEXT - 0x100000,
					   KERNEL_TEXT + 0x40000000 };
	char dir[64];
	struct symbolizer_options options = { .proc = dir };
	struct symbolizer_stats stats;
	struct symbolizer *symbolizer;
	struct profile *profile = profile_new();
	Pprof__Profile *read;

	(void)state;
	make_proc(dir, 4);
	symbolizer = symbolizer_new(&options);
	add_kernel_stack(symbolizer, profile, kernel, ARRAY_SIZE(kernel));
	read = encode(symbolizer, profile);
	assert_int_equal(read->n_location, 3);
	assert_int_equal(read->location[0]->address, 36);
	assert_int_equal(read->location[1]->address, 0);
	assert_int_equal(read->location[2]->address, 0);
	assert_string_equal(function_of(read, 0, 1), "[kernel]");
	assert_string_equal(function_of(read, 0, 2), "[kernel]");
	assert_int_equal(read->mapping[0]->memory_start, 0);
	for (size_t i = 0; i < read->n_string_table; i++)
		assert_null(strstr(read->string_table[i], "ffff"));
	symbolizer_stats(symbolizer, &stats);
	assert_int_equal(stats.frames_resolved, 1);
	assert_int_equal(stats.frames_unresolved, 2);
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
	symbolizer_free(symbolizer);
	remove_proc(dir);
}

static void put_proc_file(const char *dir, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void check_name(struct symbolizer *symbolizer, uint64_t addr, const char *name)
{
	struct profile *profile = profile_new();
	Pprof__Profile *read;

	add_kernel_stack(symbolizer, profile, &addr, 1);
	read = encode(symbolizer, profile);
	assert_string_equal(function_of(read, 0, 0), name);
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
}

static void a_module_at_the_place_of_another_has_its_own_names(void **state)
{
	const uint64_t addr = 0xffffffffc0001008;
	char dir[64], path[128];
	struct symbolizer_options options = { .proc = dir };
	struct symbolizer *symbolizer;

	(void)state;
	make_proc(dir, 1);
	put_proc_file(dir, "kallsyms",
		      "ffffffff81000000 T _stext\nffffffff82000000 T _etext\n"
		      "ffffffffc0001000 t old\t[a]\n");
	put_proc_file(dir, "modules", "a 16384 0 - Live 0xffffffffc0001000\n");
	symbolizer = symbolizer_new(&options);
	check_name(symbolizer, addr, "old [a]");
	put_proc_file(dir, "kallsyms",
		      "ffffffff81000000 T _stext\nffffffff82000000 T _etext\n"
		      "ffffffffc0001000 t new\t[z]\n");
	put_proc_file(dir, "modules", "z 16384 0 - Live 0xffffffffc0001000\n");
	symbolizer_check(symbolizer);
	while (symbolizer_reading(symbolizer))
		symbolizer_step(symbolizer);
	check_name(symbolizer, addr, "new [z]");
	symbolizer_free(symbolizer);
	snprintf(path, sizeof(path), "%s/modules", dir);
	unlink(path);
	remove_proc(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sixty_thousand_names_of_one_profile_are_all_there),
		cmocka_unit_test(no_address_of_the_kernel_is_told),
		cmocka_unit_test(a_module_at_the_place_of_another_has_its_own_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
