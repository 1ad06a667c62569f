/* SPDX-License-Identifier: Apache-2.0 */

/* What a tick costs in the kernel, by BPF's own run-time statistics (root).
 *
 * bpf_tick [SECONDS]: each CPU runs a recursion of 20 calls.  Phases of SECONDS (3), all on the same cgroup:
 *	not_taken_us		1009 ticks a second, none taken
 *	not_taken_cold_us	107 ticks a second, while the CPUs walk through more memory than they can cache
 *	taken_us		the same, and every tick is taken; "frames" is the mean depth
 *	kernel_cpu_percent	19 Hz on the base of 53: share of the CPUs' time, program only
 * Prints one line of JSON.  Times are means, with the two clock reads of the statistics in them. */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "agent/kernel/sampler.h"
#include "lib/core/plan/caps.h"

#define CLS 2
#define DEPTH 20
#define TRASH_BYTES (16UL << 20)
#define CPU_MAX 1024

static volatile uint64_t sink;
static unsigned char *trash;
static size_t trash_bytes;

__attribute__((noinline)) static uint64_t deeper(int depth)
{
	uint64_t below;

	if (depth > 0) {
		below = deeper(depth - 1);
		__asm__ volatile("" : "+r"(below)); /* no loop in place of the recursion */
		return below + 1;
	}
	for (size_t i = 0; i < trash_bytes; i += 64)
		sink += trash[i]++;
	return sink;
}

struct burners {
	pid_t pid[CPU_MAX];
	int nr;
};

static void stop_burners(struct burners *burners)
{
	for (int i = 0; i < burners->nr; i++) {
		kill(burners->pid[i], SIGKILL);
		waitpid(burners->pid[i], NULL, 0);
	}
	burners->nr = 0;
}

static void start_burners(struct burners *burners, size_t bytes)
{
	long cpus = MIN(sysconf(_SC_NPROCESSORS_ONLN), CPU_MAX);

	stop_burners(burners);
	while (burners->nr < cpus) {
		pid_t pid = fork();

		if (pid < 0)
			return;
		if (pid > 0) {
			burners->pid[burners->nr++] = pid;
			continue;
		}
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		trash_bytes = bytes;
		trash = xmalloc(bytes);
		memset(trash, 1, bytes);
		for (;;)
			sink += deeper(DEPTH);
	}
}

/* The id of our own cgroup: what "0::PATH" of /proc/self/cgroup is below the cgroup2 mount. */
static uint64_t own_cgroup(void)
{
	char line[PATH_MAX], mount[PATH_MAX] = "", own[PATH_MAX] = "/", path[2 * PATH_MAX];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	struct stat st;

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, " - cgroup2 ") &&
		    sscanf(line, "%*s %*s %*s %*s %4000s", mount) == 1)
			break;
	if (file)
		fclose(file);
	file = fopen("/proc/self/cgroup", "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "0::%4000s", own) == 1)
			break;
	if (file)
		fclose(file);
	snprintf(path, sizeof(path), "%s%s", mount, own);
	return mount[0] && stat(path, &st) == 0 ? st.st_ino : 0;
}

struct sum {
	uint64_t samples, frames;
};

static void on_cgroup(void *ctx, uint64_t id, const char *path)
{
	(void)ctx;
	(void)id;
	(void)path;
}

static void on_process(void *ctx, uint32_t tgid, uint64_t image, uint64_t cgroup)
{
	(void)ctx;
	(void)tgid;
	(void)image;
	(void)cgroup;
}

static void on_sample(void *ctx, const struct sample *sample)
{
	struct sum *sum = ctx;

	sum->samples += sample->samples;
	sum->frames += sample->samples * (sample->user_nr + sample->kernel_nr);
}

struct phase {
	double us;	/* mean run time */
	double percent; /* run time of one CPU's time */
};

static int measure(struct sampler *s, struct want *want, int seconds, struct phase *ret_phase,
		   struct err *err)
{
	struct sampler_cost from = { 0 }, to = { 0 };
	struct timespec ts = { seconds, 0 };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int r = sampler_apply(s, want, err);

	if (r == 0)
		r = sampler_cost(s, &from);
	nanosleep(&ts, NULL);
	if (r == 0)
		r = sampler_cost(s, &to);
	if (r < 0)
		return r;
	if (to.runs == from.runs)
		return err_set(err, -ENODATA, "no tick in %d s", seconds);
	ret_phase->us = (double)(to.run_ns - from.run_ns) / 1e3 / (double)(to.runs - from.runs);
	ret_phase->percent = 100 * (double)(to.run_ns - from.run_ns) / 1e9 / seconds / (double)cpus;
	return 0;
}

static void set_rate(struct want *want, uint32_t rate_hz, uint32_t base_hz)
{
	want->cls[CLS] = (struct want_class){ .rate_hz = rate_hz, .caps = CAPS_ALL, .used = true };
	want->cls_nr = CLS + 1;
	want->base_hz = base_hz;
}

/* The sums of what was taken so far. */
static int collect(struct sampler *s, struct err *err)
{
	sampler_swap(s);
	usleep(SAMPLER_GRACE_NS / 1000);
	return sampler_drain(s, err);
}

static int phases(struct sampler *s, struct want *want, int seconds, struct sum *sum,
		  struct err *err)
{
	struct phase warm = { 0 }, cold = { 0 }, all = { 0 }, normal = { 0 };
	cleanup(stop_burners) struct burners burners = { .nr = 0 };
	int r;

	start_burners(&burners, 4096);
	set_rate(want, 0, 1009);
	r = measure(s, want, seconds, &warm, err);
	start_burners(&burners, TRASH_BYTES);
	set_rate(want, 0, 107);
	if (r == 0)
		r = measure(s, want, seconds, &cold, err);
	set_rate(want, 1000, 107);
	if (r == 0)
		r = measure(s, want, seconds, &all, err);
	if (r == 0)
		r = collect(s, err);
	set_rate(want, 19, 53);
	if (r >= 0)
		r = measure(s, want, seconds, &normal, err);
	if (r == 0)
		printf("{\"not_taken_us\": %.3f, \"not_taken_cold_us\": %.3f, \"taken_us\": %.3f, "
		       "\"frames\": %.1f, \"kernel_cpu_percent\": %.4f}\n",
		       warm.us, cold.us, all.us, (double)sum->frames / (double)MAX(sum->samples, 1),
		       normal.percent);
	return r;
}

static int run(struct want *want, int seconds, struct err *err)
{
	static const struct sampler_events events = { on_cgroup, on_cgroup, on_process, on_sample };
	struct sampler_options options = { 0 };
	struct sum sum = { 0 };
	struct sampler *s;
	int r = sampler_new(&options, &events, &sum, &s, err);

	if (r < 0)
		return r;
	set_rate(want, 0, 107);
	r = sampler_start(s, want, err);
	if (r == 0)
		r = phases(s, want, seconds, &sum, err);
	sampler_free(s);
	return r;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 3;
	struct want *want = xcalloc(1, sizeof(*want));
	struct want_cgroup row = { own_cgroup(), 1, CLS };
	struct err err = ERR_INIT;
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	int r;

	if (stats < 0 || !row.id || seconds <= 0) {
		fprintf(stderr, "bpf_tick: %s\n",
			stats < 0 ? "BPF statistics need root" : "no cgroup2 mount");
		return 1;
	}
	want->cgroup = &row;
	want->cgroup_nr = 1;
	r = run(want, seconds, &err);
	close(stats);
	free(want);
	if (r < 0)
		fprintf(stderr, "bpf_tick: %s\n", err.text);
	return r < 0;
}
