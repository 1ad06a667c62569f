/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double cpu_seconds(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) < 0)
		return 0;
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long total = 0, resident = 0;
	int nr = 0;

	if (!file)
		return 0;
	nr = fscanf(file, "%llu %llu", &total, &resident);
	fclose(file);
	return nr == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : 0;
}

static double open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	double nr = -3; /* ".", ".." and the directory itself */

	if (!dir)
		return 0;
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

static double max_fds(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : (double)limit.rlim_cur;
}

/* Seconds since the epoch; by the wall clock when the kernel's record cannot be read. */
static double start_time(void)
{
	char text[1024], *rest;
	unsigned long long ticks = 0;
	struct timespec wall, boot;
	FILE *file = fopen("/proc/self/stat", "re");
	size_t len = 0;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	if (file) {
		len = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	text[len] = '\0';
	/* The second field, the program's name, may hold blanks; the 22nd is the start. */
	rest = strrchr(text, ')');
	for (int field = 2; rest && field < 22; field++)
		rest = strchr(rest + 1, ' ');
	if (!rest)
		return (double)wall.tv_sec;
	ticks = strtoull(rest, NULL, 10);
	return (double)wall.tv_sec - (double)boot.tv_sec +
	       (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* Asked for by name each time: a scrape is rare, and nothing need be kept. */
static void collect(void *ctx)
{
	struct metrics *m = ctx;

	metric_set(metrics_counter(m, "process_cpu_seconds_total",
				   "Total user and system CPU time spent in seconds.",
				   METRIC_NO_LABELS),
		   cpu_seconds());
	metric_set(metrics_gauge(m, "process_resident_memory_bytes",
				 "Resident memory size in bytes.", METRIC_NO_LABELS),
		   resident_bytes());
	metric_set(metrics_gauge(m, "process_open_fds", "Number of open file descriptors.",
				 METRIC_NO_LABELS),
		   open_fds());
	metric_set(metrics_gauge(m, "process_max_fds", "Maximum number of open file descriptors.",
				 METRIC_NO_LABELS),
		   max_fds());
}

void metrics_add_process(struct metrics *m, const char *prefix, const char *version)
{
	cleanup(freep) char *name = xasprintf("%s_build_info", prefix);

	metric_set(metrics_gauge(m, name, "The version of this program; the value is always 1.",
				 METRIC_LABELS("version", version)),
		   1);
	metric_set(metrics_gauge(m, "process_start_time_seconds",
				 "Start time of the process since unix epoch in seconds.",
				 METRIC_NO_LABELS),
		   start_time());
	metrics_on_scrape(m, collect, m);
}
