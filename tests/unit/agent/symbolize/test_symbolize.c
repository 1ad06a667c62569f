/* SPDX-License-Identifier: Apache-2.0 */
/* A real process, samples made of its real addresses, and the profile read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/symbolize/symbolize.h"
#include "agent/core/model/sample.h"
#include "agent/core/symbol/procmap.h"
#include "agent/core/symbol/sideband_parse.h"
#include "tests/unit/agent/read_pprof.h"

static const struct profile_meta meta = {
	.ns = "payments",
	.pod = "settle-0",
	.container = "app",
	.node = "node-1",
	.rate_hz = 19,
	.start_ns = 1795230900123456789LL,
	.duration_ns = 15 * NSEC_PER_SEC,
};

__attribute__((noinline)) void a_leaf_function(void);
__attribute__((noinline)) void its_caller(void);
__attribute__((noinline)) void a_leaf_function(void)
{
	__asm__ volatile("nop; nop; nop; nop");
}
__attribute__((noinline)) void its_caller(void)
{
	a_leaf_function();
	__asm__ volatile("nop; nop; nop; nop");
}

static pid_t child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static struct sample stack_of(pid_t pid, const uint64_t *user, size_t nr)
{
	return (struct sample){
		.tgid = (uint32_t)pid,
		.image = 0x1234,
		.rate_hz = 19,
		.cpu_ns = 52631579,
		.samples = 1,
		.end = PROF_END_COMPLETE,
		.user = user,
		.user_nr = nr,
	};
}

static Pprof__Profile *encode(struct symbolizer *symbolizer, const struct profile *profile)
{
	struct err err = ERR_INIT;
	cleanup(freep) uint8_t *data = NULL;
	size_t len = 0;

	assert_int_equal(symbolizer_encode(symbolizer, profile, &meta, &data, &len, &err), 0);
	return read_pprof(data, len);
}

static void a_living_process_is_named(void **state)
{
	uint64_t user[] = { (uint64_t)a_leaf_function + 1, (uint64_t)its_caller + 8,
			    (uint64_t)its_caller + 9 };
	struct symbolizer *symbolizer = symbolizer_new(NULL);
	struct profile *profile = profile_new();
	pid_t pid = child();
	struct sample sample = stack_of(pid, user, 3);
	Pprof__Profile *read;

	(void)state;
	symbolizer_process_seen(symbolizer, (uint32_t)pid, sample.image);
	symbolizer_add(symbolizer, profile, &sample);
	end(pid);
	read = encode(symbolizer, profile);
	assert_int_equal(read->n_sample, 1);
	assert_string_equal(function_of(read, 0, 0), "a_leaf_function");
	assert_string_equal(function_of(read, 0, 1), "its_caller");
	assert_non_null(strstr(text_of(read, read->mapping[0]->filename), "test_symbolize"));
	assert_true(read->mapping[0]->has_functions);
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
	symbolizer_free(symbolizer);
}

static void two_processes_of_one_program_merge(void **state)
{
	uint64_t user[] = { (uint64_t)a_leaf_function + 1, (uint64_t)its_caller + 8 };
	struct symbolizer *symbolizer = symbolizer_new(NULL);
	struct profile *profile = profile_new();

	(void)state;
	for (int i = 0; i < 2; i++) {
		pid_t pid = child();
		struct sample sample = stack_of(pid, user, 2);

		symbolizer_add(symbolizer, profile, &sample);
		end(pid);
	}
	assert_int_equal(profile->row_nr, 1);
	assert_int_equal(profile->cpu_ns, 2 * 52631579);
	profile_free(profile);
	symbolizer_free(symbolizer);
}

static void a_process_that_is_gone_keeps_its_cpu_time(void **state)
{
	uint64_t user[] = { (uint64_t)a_leaf_function + 1, (uint64_t)its_caller + 8 };
	struct symbolizer *symbolizer = symbolizer_new(NULL);
	struct profile *profile = profile_new();
	pid_t pid = child();
	struct sample sample = stack_of(pid, user, 2);
	Pprof__Profile *read;

	(void)state;
	end(pid);
	symbolizer_add(symbolizer, profile, &sample);
	read = encode(symbolizer, profile);
	assert_int_equal(read->n_sample, 1);
	assert_string_equal(function_of(read, 0, 0), "[process exited]");
	assert_int_equal(read->sample[0]->n_location_id, 1);
	assert_int_equal(read->sample[0]->value[0], 52631579);
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
	symbolizer_free(symbolizer);
}

/* What the kernel would tell of a process that runs this program. */
static void tell(struct symbolizer *symbolizer, uint32_t pid)
{
	struct sideband_event event = { .type = SIDEBAND_EXEC, .pid = pid };
	char text[PROCMAP_PATH_BYTES];
	struct procmap_line line;
	FILE *maps = fopen("/proc/self/maps", "re");

	symbolizer_side_event(symbolizer, &event);
	event.type = SIDEBAND_MMAP;
	while (fgets(text, sizeof(text), maps)) {
		if (!procmap_parse(text, strlen(text), &line) || !line.executable)
			continue;
		event.mapping = (struct sideband_mapping){ .start = line.start,
							   .end = line.end,
							   .offset = line.offset,
							   .ino = line.ino,
							   .dev = line.dev };
		symbolizer_side_event(symbolizer, &event);
	}
	fclose(maps);
}

static void one_that_is_gone_is_named_by_what_the_kernel_told(void **state)
{
	uint64_t user[] = { (uint64_t)a_leaf_function + 1, (uint64_t)its_caller + 8 };
	struct symbolizer *symbolizer = symbolizer_new(NULL);
	struct profile *profile = profile_new();
	pid_t alive = child(), gone = child();
	struct sample sample[] = { stack_of(alive, user, 2), stack_of(gone, user, 2) };

	(void)state;
	tell(symbolizer, (uint32_t)gone);
	end(gone);
	/* Nobody who is alive has opened the file yet. */
	symbolizer_process_seen(symbolizer, (uint32_t)gone, sample[1].image);
	symbolizer_process_seen(symbolizer, (uint32_t)alive, sample[0].image);
	for (size_t i = 0; i < 2; i++)
		symbolizer_add(symbolizer, profile, &sample[i]);
	end(alive);
	assert_int_equal(profile->row_nr, 1);
	assert_int_equal(profile->cpu_ns, 2 * 52631579);
	profile_free(profile);
	symbolizer_free(symbolizer);
}

static void an_address_outside_all_mappings_is_unknown(void **state)
{
	uint64_t user[] = { 0x10 };
	struct symbolizer *symbolizer = symbolizer_new(NULL);
	struct profile *profile = profile_new();
	struct sample sample = stack_of(getpid(), user, 1);
	Pprof__Profile *read;

	(void)state;
	sample.end = PROF_END_BROKEN;
	symbolizer_add(symbolizer, profile, &sample);
	read = encode(symbolizer, profile);
	assert_string_equal(function_of(read, 0, 0), "[unknown]");
	assert_string_equal(function_of(read, 0, 1), "[broken stack]");
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
	symbolizer_free(symbolizer);
}

#define MANY 60000
#define KERNEL_TEXT 0xffffffff81000000ULL
#define STACK_FRAMES 120

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_living_process_is_named),
		cmocka_unit_test(two_processes_of_one_program_merge),
		cmocka_unit_test(a_process_that_is_gone_keeps_its_cpu_time),
		cmocka_unit_test(one_that_is_gone_is_named_by_what_the_kernel_told),
		cmocka_unit_test(an_address_outside_all_mappings_is_unknown),
		cmocka_unit_test(sixty_thousand_names_of_one_profile_are_all_there),
		cmocka_unit_test(no_address_of_the_kernel_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
