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
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/symbolize/symbolize.h"
#include "agent/core/model/sample.h"
#include "agent/core/symbol/procmap.h"
#include "agent/core/symbol/sideband_parse.h"
#include "agent/process/procs.h"
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

static void see(struct symbolizer *symbolizer, const struct sample *sample)
{
	const struct proc_id id = { sample->tgid, sample->image, sample->cgroup };

	symbolizer_process_seen(symbolizer, &id);
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
	see(symbolizer, &sample);
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

/* What the kernel would tell of a process that runs this program; it calls the file by an inode so much higher. */
static void tell_as(struct symbolizer *symbolizer, uint32_t pid, uint64_t other)
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
							   .ino = line.ino ? line.ino + other : 0,
							   .dev = line.dev };
		symbolizer_side_event(symbolizer, &event);
	}
	fclose(maps);
}

static void tell(struct symbolizer *symbolizer, uint32_t pid)
{
	tell_as(symbolizer, pid, 0);
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
	see(symbolizer, &sample[1]);
	see(symbolizer, &sample[0]);
	for (size_t i = 0; i < 2; i++)
		symbolizer_add(symbolizer, profile, &sample[i]);
	end(alive);
	assert_int_equal(profile->row_nr, 1);
	assert_int_equal(profile->cpu_ns, 2 * 52631579);
	profile_free(profile);
	symbolizer_free(symbolizer);
}

/* As overlayfs has it: /proc shows the file on top, the kernel's records the one below. */
static void one_that_is_gone_is_named_by_the_file_below_but_only_in_its_own_cgroup(void **state)
{
	uint64_t user[] = { (uint64_t)a_leaf_function + 1, (uint64_t)its_caller + 8 };
	struct symbolizer *symbolizer = symbolizer_new(NULL);
	struct profile *profile = profile_new();
	pid_t alive = child(), gone = child(), stranger = child();
	struct sample sample[] = { stack_of(alive, user, 2), stack_of(gone, user, 2),
				   stack_of(stranger, user, 2) };
	Pprof__Profile *read;

	(void)state;
	sample[0].cgroup = sample[1].cgroup = 7;
	sample[2].cgroup = 8;
	for (size_t i = 0; i < 3; i++)
		tell_as(symbolizer, sample[i].tgid, 1000000);
	end(gone);
	end(stranger);
	for (size_t i = 3; i-- > 0;)
		see(symbolizer, &sample[i]);
	for (size_t i = 0; i < 3; i++)
		symbolizer_add(symbolizer, profile, &sample[i]);
	end(alive);
	assert_int_equal(profile->row_nr, 2);
	read = encode(symbolizer, profile);
	assert_string_equal(function_of(read, 0, 0), "a_leaf_function");
	assert_int_equal(read->sample[0]->value[0], 2 * 52631579);
	assert_string_equal(function_of(read, 1, 0), "[process exited]");
	pprof__profile__free_unpacked(read, NULL);
	profile_free(profile);
	symbolizer_free(symbolizer);
}

static void a_process_of_a_moment_without_descriptors_is_named_later(void **state)
{
	uint64_t user[] = { (uint64_t)a_leaf_function + 1, (uint64_t)its_caller + 8 };
	struct symbolizer *symbolizer = symbolizer_new(NULL);
	struct profile *profile = profile_new();
	struct rlimit before, none;
	pid_t pid = child();
	struct sample sample = stack_of(pid, user, 2);
	Pprof__Profile *read;
	int used = dup(0);

	(void)state;
	close(used);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	/* First none at all, then one: for the list of mappings, not for the file. */
	for (int i = 0; i < 2; i++) {
		none = (struct rlimit){ (rlim_t)(used + i), before.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		see(symbolizer, &sample);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	}
	usleep(PROCS_REFRESH_NS / 1000 + 50000);
	symbolizer_add(symbolizer, profile, &sample);
	end(pid);
	read = encode(symbolizer, profile);
	assert_string_equal(function_of(read, 0, 0), "a_leaf_function");
	assert_string_equal(function_of(read, 0, 1), "its_caller");
	pprof__profile__free_unpacked(read, NULL);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_living_process_is_named),
		cmocka_unit_test(two_processes_of_one_program_merge),
		cmocka_unit_test(a_process_that_is_gone_keeps_its_cpu_time),
		cmocka_unit_test(one_that_is_gone_is_named_by_what_the_kernel_told),
		cmocka_unit_test(
			one_that_is_gone_is_named_by_the_file_below_but_only_in_its_own_cgroup),
		cmocka_unit_test(a_process_of_a_moment_without_descriptors_is_named_later),
		cmocka_unit_test(an_address_outside_all_mappings_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
