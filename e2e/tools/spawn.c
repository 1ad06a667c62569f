/* SPDX-License-Identifier: Apache-2.0 */
/* A storm of short processes: --rate of them a second, for --seconds, each a fresh image (fork and
 * exec of this program) that works for --work-us of CPU and ends.  Prints how many there were, as
 * JSON.
 */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

__attribute__((noinline)) static int short_life(int64_t work_ns)
{
	volatile uint64_t x = 1;

	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < work_ns) {
		for (int i = 0; i < 2000; i++)
			x = x * 6364136223846793005ULL + 1;
	}
	return 0;
}

static void sleep_until(int64_t when_ns)
{
	struct timespec ts = { when_ns / 1000000000LL, when_ns % 1000000000LL };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static long storm(const char *self, int rate, int seconds, const char *work_us)
{
	int64_t start = now_ns(CLOCK_MONOTONIC);
	long made = 0;

	for (long i = 0; i < (long)rate * seconds; i++) {
		sleep_until(start + i * 1000000000LL / rate);
		pid_t pid = fork();

		if (pid == 0) {
			execl(self, self, "--child", work_us, (char *)NULL);
			_exit(127);
		}
		made += pid > 0;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
	return made;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "rate", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' },
		{ "work-us", required_argument, NULL, 'w' },
		{ 0 },
	};
	int rate = 300, seconds = 10, c;
	const char *work_us = "1000";

	if (argc == 3 && strcmp(argv[1], "--child") == 0)
		return short_life(atoll(argv[2]) * 1000);
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'r')
			rate = atoi(optarg);
		else if (c == 's')
			seconds = atoi(optarg);
		else if (c == 'w')
			work_us = optarg;
		else
			return 2;
	}
	printf("{\"processes\": %ld}\n", storm("/proc/self/exe", rate, seconds, work_us));
	return 0;
}
