/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_AGENT_SAMPLER_RIG_H
#define TESTS_UNIT_AGENT_SAMPLER_RIG_H

/* A sampler, a cgroup with a busy child in it, and what the callbacks saw; gone again after each test. */

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

#include "agent/kernel/sampler.h"
#include "lib/core/limits.h"
#include "lib/core/plan/caps.h"

#define SLOT 7
#define CLS 2

/* What the callbacks saw. */
struct seen {
	uint64_t cgroup; /* only samples of this one are summed */
	uint64_t cpu_ns, samples, rows;
	uint64_t rate_ns[LIMIT_SAMPLE_RATE_HZ + 1];
	uint64_t in_spin, in_chain, in_kernel, with_user, processes;
	uint64_t image[64]; /* the distinct ones of our cgroup */
	size_t image_nr;
	uint32_t tgid;
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

static inline bool inside(uint64_t ip, void (*function)(void), size_t size)
{
	return ip >= (uint64_t)(uintptr_t)function && ip < (uint64_t)(uintptr_t)function + size;
}

static inline void on_sample(void *ctx, const struct sample *sample)
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
	if (sample->user_nr)
		seen->with_user += sample->samples;
	if (sample->kernel_nr && sample->kernel[0] >> 63)
		seen->in_kernel += sample->samples;
}

static inline void on_made(void *ctx, uint64_t id, const char *path)
{
	struct seen *seen = ctx;

	seen->made = id;
	snprintf(seen->made_path, sizeof(seen->made_path), "%s", path);
}

static inline void on_gone(void *ctx, uint64_t id, const char *path)
{
	struct seen *seen = ctx;

	(void)path;
	seen->gone = id;
}

static inline void on_process(void *ctx, uint32_t tgid, uint64_t image, uint64_t cgroup)
{
	struct seen *seen = ctx;

	if (!image || cgroup != seen->cgroup)
		return;
	seen->processes++;
	seen->tgid = tgid;
	for (size_t i = 0; i < seen->image_nr; i++)
		if (seen->image[i] == image)
			return;
	if (seen->image_nr < ARRAY_SIZE(seen->image))
		seen->image[seen->image_nr++] = image;
}

static const struct sampler_events events = { on_made, on_gone, on_process, on_sample };

static inline int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static inline void sleep_ms(int ms)
{
	struct timespec ts = { ms / 1000, (ms % 1000) * NSEC_PER_MSEC };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* The mount point in the first line of mountinfo that has `what` in it. */
static inline bool find_mount(const char *what, char path[PATH_MAX])
{
	char line[PATH_MAX];
	bool found = false;
	FILE *file = fopen("/proc/self/mountinfo", "re");

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, what) && sscanf(line, "%*s %*s %*s %*s %4000s", path) == 1;
	if (file)
		fclose(file);
	return found;
}

static inline void make_cgroup_in(struct bench *b, const char *what)
{
	char mount[PATH_MAX];
	struct stat st;

	if (!find_mount(what, mount)) {
		print_message("skipped: no mount with \"%s\"\n", what);
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

static inline void make_cgroup(struct bench *b)
{
	make_cgroup_in(b, " - cgroup2 ");
}

static inline void set_class(struct bench *b, uint32_t id, uint32_t rate_hz, uint32_t caps)
{
	b->want.cls[id] = (struct want_class){ .rate_hz = rate_hz, .caps = caps, .used = true };
	b->want.cls_nr = MAX(b->want.cls_nr, id + 1);
	b->want.base_hz = rate_hz > 100 ? 211 : rate_hz > 49 ? 107 : 53;
}

static inline void open_sampler_with(struct bench *b, const struct sampler_options *options)
{
	struct err err = ERR_INIT;
	int r = sampler_new(options, &events, &b->seen, &b->sampler, &err);

	if (r == -EPERM || r == -ENOTSUP) {
		print_message("skipped: %s\n", err.text);
		skip();
	}
	if (r < 0)
		fail_msg("%s", err.text);
}

static inline void open_sampler(struct bench *b, uint32_t rows)
{
	struct sampler_options options = { .rows = rows };

	open_sampler_with(b, &options);
}

static inline void start(struct bench *b)
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

static inline void apply(struct bench *b)
{
	struct err err = ERR_INIT;

	if (sampler_apply(b->sampler, &b->want, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void bind(struct bench *b)
{
	b->row.slot = SLOT;
	b->row.cls = CLS;
	b->want.cgroup = &b->row;
	b->want.cgroup_nr = 1;
}

static inline void write_file(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX + 32];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static inline void spawn(struct bench *b, void (*work)(void))
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

static inline void stop(struct bench *b)
{
	if (b->child <= 0)
		return;
	kill(b->child, SIGKILL);
	waitpid(b->child, NULL, 0);
	b->child = 0;
}

static inline uint64_t usage_ns(const struct bench *b)
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

/* Until the cgroup has had so much CPU time: on a busy machine that takes longer, 30 s at most. */
static inline void work(const struct bench *b, int cpu_ms)
{
	uint64_t until_ns = usage_ns(b) + (uint64_t)cpu_ms * NSEC_PER_MSEC;
	int64_t end = now_ns() + 30 * NSEC_PER_SEC;

	while (usage_ns(b) < until_ns && now_ns() < end)
		sleep_ms(10);
}

static inline void drain(struct bench *b)
{
	struct err err = ERR_INIT;

	sampler_swap(b->sampler);
	sleep_ms(SAMPLER_GRACE_NS / NSEC_PER_MSEC + 1);
	if (sampler_drain(b->sampler, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void run(struct bench *b, int ms)
{
	sleep_ms(ms);
	drain(b);
}

static inline void assert_near(const char *what, double got, double want, double tolerance)
{
	print_message("  %s: %.4g, expected %.4g\n", what, got, want);
	if (got < want * (1 - tolerance) || got > want * (1 + tolerance))
		fail_msg("%s is %.6g, not within %.0f %% of %.6g", what, got, tolerance * 100,
			 want);
}

/* A comb of ticks over a process that shares its CPU is a sample: with share p of n ticks the standard
 * deviation is sqrt((1 - p) / (n p)).  Alone on its CPU it must be exact. */
static inline void assert_cpu(const struct bench *b, uint64_t got_ns, uint64_t used_ns,
			      int64_t wall_ns)
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

static inline int setup(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));

	set_class(b, PROF_CLASS_UNKNOWN, 0, 0);
	set_class(b, PROF_CLASS_OUTSIDE, 0, 0);
	*state = b;
	return 0;
}

static inline int teardown(void **state)
{
	struct bench *b = *state;

	stop(b);
	sampler_free(b->sampler);
	for (int i = 0; b->dir[0] && i < 100 && rmdir(b->dir) < 0; i++)
		sleep_ms(10);
	free(b);
	return 0;
}

#endif
