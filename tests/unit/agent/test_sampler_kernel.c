/* SPDX-License-Identifier: Apache-2.0 */

/* The sampler on the running kernel.  Skips, and says why, where BPF is not to be had. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/sampler.h"
#include "lib/caps.h"
#include "lib/limits.h"

#define SLOT 7
#define CLS 2

/* What the callbacks saw. */
struct seen {
	uint64_t cgroup; /* only samples of this one are summed */
	uint64_t cpu_ns, samples, rows;
	uint64_t rate_ns[LIMIT_SAMPLE_RATE_HZ + 1];
	uint64_t in_spin, in_chain, in_kernel, processes;
	uint64_t made, gone;
	char made_path[PROF_PATH];
};

struct bench {
	struct sampler *sampler;
	struct want want;
	struct want_cgroup row;
	struct seen seen;
	char dir[PATH_MAX];
	pid_t child;
};

static volatile uint64_t sink;

/* The child's stack has a known shape: spin <- chain.  Asking for its frame's address makes the
 * compiler give even a leaf function one. */
__attribute__((noinline)) static void spin(void)
{
	sink = (uintptr_t)__builtin_frame_address(0);
	for (int i = 0; i < 2000000; i++)
		sink += (uint64_t)i;
}

__attribute__((noinline)) static void chain(void)
{
	spin();
	sink++;
}

static bool inside(uint64_t ip, void (*function)(void), size_t size)
{
	return ip >= (uint64_t)(uintptr_t)function && ip < (uint64_t)(uintptr_t)function + size;
}

static void on_sample(void *ctx, const struct sample *sample)
{
	struct seen *seen = ctx;
	bool found = false;

	if (sample->cgroup != seen->cgroup)
		return;
	seen->rows++;
	seen->cpu_ns += sample->cpu_ns;
	seen->samples += sample->samples;
	seen->rate_ns[MIN(sample->rate_hz, LIMIT_SAMPLE_RATE_HZ)] += sample->cpu_ns;
	if (sample->user_nr && inside(sample->user[0], spin, 256))
		seen->in_spin += sample->samples;
	for (size_t i = 1; i < sample->user_nr; i++)
		found |= inside(sample->user[i], chain, 128);
	if (found)
		seen->in_chain += sample->samples;
	if (sample->kernel_nr && sample->kernel[0] >> 63)
		seen->in_kernel += sample->samples;
}

static void on_made(void *ctx, uint64_t id, const char *path)
{
	struct seen *seen = ctx;

	seen->made = id;
	snprintf(seen->made_path, sizeof(seen->made_path), "%s", path);
}

static void on_gone(void *ctx, uint64_t id, const char *path)
{
	struct seen *seen = ctx;

	(void)path;
	seen->gone = id;
}

static void on_process(void *ctx, uint32_t tgid, uint64_t mm, uint64_t cgroup)
{
	struct seen *seen = ctx;

	(void)tgid;
	if (mm && cgroup == seen->cgroup)
		seen->processes++;
}

static const struct sampler_events events = { on_made, on_gone, on_process, on_sample };

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void sleep_ms(int ms)
{
	struct timespec ts = { ms / 1000, (ms % 1000) * NSEC_PER_MSEC };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* Where cgroup2 is mounted: the field before "- cgroup2" that is the mount point. */
static bool cgroup2_mount(char path[PATH_MAX])
{
	char line[PATH_MAX];
	bool found = false;
	FILE *file = fopen("/proc/self/mountinfo", "re");

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, " - cgroup2 ") &&
			sscanf(line, "%*s %*s %*s %*s %4000s", path) == 1;
	if (file)
		fclose(file);
	return found;
}

static void make_cgroup(struct bench *b)
{
	char mount[PATH_MAX];
	struct stat st;

	if (!cgroup2_mount(mount)) {
		print_message("skipped: no cgroup2 mount\n");
		skip();
	}
	snprintf(b->dir, sizeof(b->dir), "%.4000s/rubato-test-%d", mount, getpid());
	if (mkdir(b->dir, 0755) < 0) {
		print_message("skipped: %s: %s\n", b->dir, strerror(errno));
		b->dir[0] = '\0';
		skip();
	}
	assert_int_equal(stat(b->dir, &st), 0);
	b->seen.cgroup = b->row.id = st.st_ino;
}

static void set_class(struct bench *b, uint32_t id, uint32_t rate_hz, uint32_t caps)
{
	b->want.cls[id] = (struct want_class){ .rate_hz = rate_hz, .caps = caps, .used = true };
	b->want.cls_nr = MAX(b->want.cls_nr, id + 1);
	b->want.base_hz = rate_hz > 100 ? 211 : rate_hz > 49 ? 107 : 53;
}

static void open_sampler(struct bench *b, uint32_t rows)
{
	struct sampler_options options = { .rows = rows };
	struct err err = ERR_INIT;
	int r = sampler_new(&options, &events, &b->seen, &b->sampler, &err);

	if (r == -EPERM || r == -ENOTSUP) {
		print_message("skipped: %s\n", err.text);
		skip();
	}
	if (r < 0)
		fail_msg("%s", err.text);
}

static void start(struct bench *b)
{
	struct err err = ERR_INIT;
	int r = sampler_start(b->sampler, &b->want, &err);

	if (r == -EPERM || r == -EACCES) {
		print_message("skipped: %s\n", err.text);
		skip();
	}
	if (r < 0)
		fail_msg("%s", err.text);
}

static void apply(struct bench *b)
{
	struct err err = ERR_INIT;

	if (sampler_apply(b->sampler, &b->want, &err) < 0)
		fail_msg("%s", err.text);
}

static void bind(struct bench *b)
{
	b->row.slot = SLOT;
	b->row.cls = CLS;
	b->want.cgroup = &b->row;
	b->want.cgroup_nr = 1;
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX + 32];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void spawn(struct bench *b, void (*work)(void))
{
	char pid[16];

	b->child = fork();
	assert_true(b->child >= 0);
	if (b->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			work();
	}
	snprintf(pid, sizeof(pid), "%d", b->child);
	write_file(b->dir, "cgroup.procs", pid);
}

static void stop(struct bench *b)
{
	if (b->child <= 0)
		return;
	kill(b->child, SIGKILL);
	waitpid(b->child, NULL, 0);
	b->child = 0;
}

static uint64_t usage_ns(const struct bench *b)
{
	char path[PATH_MAX + 32], line[128];
	unsigned long long us = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/cpu.stat", b->dir);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "usage_usec ", 11) == 0)
			us = strtoull(line + 11, NULL, 10);
	fclose(file);
	return us * 1000;
}

static void drain(struct bench *b)
{
	struct err err = ERR_INIT;

	sampler_swap(b->sampler);
	sleep_ms(SAMPLER_GRACE_NS / NSEC_PER_MSEC + 1);
	if (sampler_drain(b->sampler, &err) < 0)
		fail_msg("%s", err.text);
}

static void run(struct bench *b, int ms)
{
	sleep_ms(ms);
	drain(b);
}

static void assert_near(const char *what, double got, double want, double tolerance)
{
	print_message("  %s: %.4g, expected %.4g\n", what, got, want);
	if (got < want * (1 - tolerance) || got > want * (1 + tolerance))
		fail_msg("%s is %.6g, not within %.0f %% of %.6g", what, got, tolerance * 100,
			 want);
}

/* A comb of ticks over a process that shares its CPU is a sample: with share p of n ticks the standard
 * deviation is sqrt((1 - p) / (n p)).  Alone on its CPU it must be exact. */
static void assert_cpu(const struct bench *b, uint64_t got_ns, uint64_t used_ns, int64_t wall_ns)
{
	double share = MIN((double)used_ns / (double)wall_ns, 1);
	double ticks = (double)wall_ns / 1e9 * b->want.base_hz;
	double variance = (1 - share) / (ticks * share);
	double off = (double)got_ns / (double)used_ns - 1;

	print_message("  cpu: %.4g, expected %.4g\n", (double)got_ns, (double)used_ns);
	off = MAX(off, -off) - 0.05;
	if (off > 0 && off * off > 16 * variance)
		fail_msg("%.4g ns sampled of %.4g ns used", (double)got_ns, (double)used_ns);
}

static int setup(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));

	set_class(b, PROF_CLASS_UNKNOWN, 0, 0);
	set_class(b, PROF_CLASS_OUTSIDE, 0, 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	stop(b);
	sampler_free(b->sampler);
	for (int i = 0; b->dir[0] && i < 100 && rmdir(b->dir) < 0; i++)
		sleep_ms(10);
	free(b);
	return 0;
}

static void samples_add_up_to_the_cpu_time_of_the_cgroup_at_its_rate(void **state)
{
	struct bench *b = *state;
	uint64_t before, used, seen_ns, taken_ns;
	int64_t wall;

	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 100, CAPS_ALL);
	start(b);
	spawn(b, chain);
	before = usage_ns(b);
	wall = now_ns();
	run(b, 2000);
	stop(b);
	wall = now_ns() - wall;
	used = usage_ns(b) - before;
	drain(b);
	sampler_slot_clock(b->sampler, SLOT, &seen_ns, &taken_ns);
	assert_int_equal(b->seen.cpu_ns, taken_ns);
	assert_true(seen_ns - taken_ns <= 40 * NSEC_PER_MSEC);
	assert_cpu(b, b->seen.cpu_ns, used, wall);
	assert_near("rate", (double)b->seen.samples * 1e9 / (double)seen_ns, 100, 0.05);
	assert_near("of it in the innermost function", (double)b->seen.in_spin,
		    (double)b->seen.samples, 0.1);
	assert_near("of it with its caller", (double)b->seen.in_chain, (double)b->seen.samples,
		    0.1);
	assert_int_equal(b->seen.processes, 1);
	assert_int_equal(sampler_stat(b->sampler, PROF_STAT_LOST_RING), 0);
	assert_int_equal(sampler_stat(b->sampler, PROF_STAT_NO_STACK), 0);
	assert_int_equal(sampler_stat(b->sampler, PROF_STAT_NO_STATE), 0);
}

/* Run for a second at `rate_hz`; what matters is the CPU time it got, not the clock on the wall.
 * Returns that time. */
static double phase(struct bench *b, uint32_t rate_hz, double tolerance)
{
	uint64_t before_ns, after_ns, taken_ns, samples = b->seen.samples;

	sampler_slot_clock(b->sampler, SLOT, &before_ns, &taken_ns);
	run(b, 1000);
	sampler_slot_clock(b->sampler, SLOT, &after_ns, &taken_ns);
	assert_near("rate",
		    (double)(b->seen.samples - samples) * 1e9 / (double)(after_ns - before_ns),
		    rate_hz, tolerance);
	return (double)(after_ns - before_ns);
}

static void a_rate_changes_while_it_runs_and_no_time_is_lost(void **state)
{
	struct bench *b = *state;
	uint64_t seen_ns, taken_ns;
	double low, high;

	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 19, CAPS_ALL);
	start(b);
	spawn(b, chain);
	low = phase(b, 19, 0.25);
	set_class(b, CLS, 200, CAPS_ALL); /* a higher base as well */
	apply(b);
	high = phase(b, 200, 0.05);
	set_class(b, CLS, 19, CAPS_ALL);
	apply(b);
	low += phase(b, 19, 0.25);
	stop(b);
	drain(b);
	sampler_slot_clock(b->sampler, SLOT, &seen_ns, &taken_ns);
	assert_int_equal(b->seen.cpu_ns, taken_ns);
	assert_near("CPU given to 19 Hz", (double)b->seen.rate_ns[19], low, 0.15);
	assert_near("CPU given to 200 Hz", (double)b->seen.rate_ns[200], high, 0.15);
}

static void a_class_that_is_off_takes_nothing_and_leaves_no_debt(void **state)
{
	struct bench *b = *state;

	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 0, CAPS_ALL);
	start(b);
	spawn(b, chain);
	run(b, 500);
	assert_int_equal(b->seen.samples, 0);
	set_class(b, CLS, 49, CAPS_ALL);
	apply(b);
	run(b, 500);
	assert_in_range(b->seen.cpu_ns, 1, 540 * NSEC_PER_MSEC);
}

static void an_unknown_cgroup_loses_nothing(void **state)
{
	struct bench *b = *state;
	uint64_t before, used;
	int64_t wall;

	open_sampler(b, 0);
	make_cgroup(b);
	set_class(b, PROF_CLASS_UNKNOWN, 19, CAPS_ALL);
	b->want.base_hz = 211;
	start(b);
	spawn(b, chain);
	before = usage_ns(b);
	wall = now_ns();
	run(b, 1000);
	stop(b);
	wall = now_ns() - wall;
	used = usage_ns(b) - before;
	drain(b);
	assert_cpu(b, b->seen.cpu_ns, used, wall);
	assert_true(sampler_stat(b->sampler, PROF_STAT_UNKNOWN_CGROUP) >= b->seen.samples);
}

static void call_kernel(void)
{
	char page[4096];
	FILE *file = fopen("/proc/self/status", "r");

	while (file && fgets(page, sizeof(page), file))
		sink++;
	if (file)
		fclose(file);
}

static void kernel_frames_come_only_where_they_are_wanted(void **state)
{
	struct bench *b = *state;
	uint64_t with;

	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 200, CAPS_ALL);
	start(b);
	spawn(b, call_kernel);
	run(b, 700);
	with = b->seen.in_kernel;
	print_message("  with kernel frames: %llu of %llu\n", (unsigned long long)with,
		      (unsigned long long)b->seen.samples);
	assert_true(with > b->seen.samples / 4);
	set_class(b, CLS, 200, CAPS_ALL & ~CAP_KERNEL);
	apply(b);
	drain(b);
	with = b->seen.in_kernel;
	run(b, 300);
	assert_int_equal(b->seen.in_kernel, with);
}

static void a_full_map_overflows_to_the_ring_buffer_and_loses_nothing(void **state)
{
	struct bench *b = *state;
	uint64_t seen_ns, taken_ns;

	open_sampler(b, 4);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 200, CAPS_ALL);
	start(b);
	spawn(b, call_kernel);
	run(b, 700);
	stop(b);
	drain(b);
	sampler_slot_clock(b->sampler, SLOT, &seen_ns, &taken_ns);
	assert_int_equal(b->seen.cpu_ns, taken_ns);
	assert_true(sampler_stat(b->sampler, PROF_STAT_OVERFLOW) > 10);
	assert_int_equal(sampler_stat(b->sampler, PROF_STAT_LOST_RING), 0);
}

static void wait_for(struct bench *b, const uint64_t *what)
{
	struct pollfd fd = { .fd = sampler_fd(b->sampler), .events = POLLIN };
	int64_t end = now_ns() + NSEC_PER_SEC;

	while (!*what && now_ns() < end)
		if (poll(&fd, 1, 100) > 0)
			sampler_poll(b->sampler, 1);
}

static void a_new_cgroup_is_told_with_its_id_and_path(void **state)
{
	struct bench *b = *state;
	uint64_t id;

	open_sampler(b, 0);
	set_class(b, CLS, 19, CAPS_ALL);
	start(b);
	make_cgroup(b);
	id = b->seen.cgroup;
	for (int i = 0; i < 20 && b->seen.made != id; i++) {
		b->seen.made = 0;
		wait_for(b, &b->seen.made);
	}
	assert_int_equal(b->seen.made, id);
	assert_string_equal(strrchr(b->seen.made_path, '/'), strrchr(b->dir, '/'));
	assert_int_equal(rmdir(b->dir), 0);
	b->dir[0] = '\0';
	for (int i = 0; i < 20 && b->seen.gone != id; i++) {
		b->seen.gone = 0;
		wait_for(b, &b->seen.gone);
	}
	assert_int_equal(b->seen.gone, id);
}

static void a_row_that_can_not_be_written_is_named_and_the_old_ones_stay(void **state)
{
	struct bench *b = *state;
	struct want_cgroup *many = xcalloc(PROF_CGROUPS + 1, sizeof(*many));
	struct err err = ERR_INIT;

	open_sampler(b, 0);
	set_class(b, CLS, 19, CAPS_ALL);
	start(b);
	for (size_t i = 0; i < PROF_CGROUPS + 1; i++)
		many[i] = (struct want_cgroup){ .id = i + 1, .slot = 1, .cls = CLS };
	b->want.cgroup = many;
	b->want.cgroup_nr = PROF_CGROUPS;
	apply(b);
	b->want.cgroup_nr = PROF_CGROUPS + 1;
	assert_int_equal(sampler_apply(b->sampler, &b->want, &err), -E2BIG);
	assert_non_null(strstr(err.text, "16385 cgroups"));
	b->want.cgroup_nr = 0;
	apply(b);
	free(many);
}

static void it_is_small(void **state)
{
	struct bench *b = *state;
	struct sampler_cost cost = { 0 };

	open_sampler(b, 0);
	assert_int_equal(sampler_cost(b->sampler, &cost), 0);
	print_message("  verified instructions: %llu, maps: %llu bytes\n",
		      (unsigned long long)cost.verified_insns,
		      (unsigned long long)sampler_map_bytes(b->sampler));
	assert_true(cost.verified_insns < 20000);
	if (sysconf(_SC_NPROCESSORS_CONF) <= 2)
		assert_in_range(sampler_map_bytes(b->sampler), 1000000, 11 * 1024 * 1024);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(it_is_small),
		CASE(samples_add_up_to_the_cpu_time_of_the_cgroup_at_its_rate),
		CASE(a_rate_changes_while_it_runs_and_no_time_is_lost),
		CASE(a_class_that_is_off_takes_nothing_and_leaves_no_debt),
		CASE(an_unknown_cgroup_loses_nothing),
		CASE(kernel_frames_come_only_where_they_are_wanted),
		CASE(a_full_map_overflows_to_the_ring_buffer_and_loses_nothing),
		CASE(a_new_cgroup_is_told_with_its_id_and_path),
		CASE(a_row_that_can_not_be_written_is_named_and_the_old_ones_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
