/* SPDX-License-Identifier: Apache-2.0 */
/* Burns CPU in functions whose names and shares are known beforehand:
 *
 *	main > worker > burn_turn > burn_deeper (--depth times) > burn_heavy  70 % of the work
 *	                                                        > burn_light  30 %
 *
 * burn [--threads N] [--seconds S] [--duty PERCENT] [--depth N]
 * Without --seconds it runs until SIGTERM.  At the end it prints, as JSON, what the kernel says it
 *used.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define UNIT_ROUNDS 20000 /* about 20 us: the grain of the 70/30 split */
#define TURN_NS 20000000LL

struct options {
	int threads, duty, depth;
	double seconds;
};

static atomic_bool stop;
static atomic_uint_fast64_t sink; /* keeps the work from being optimized away */

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static inline __attribute__((always_inline)) uint64_t units(uint64_t x, int nr)
{
	for (long i = 0; i < (long)nr * UNIT_ROUNDS; i++)
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
	return x;
}

__attribute__((noinline)) static uint64_t burn_heavy(uint64_t x)
{
	return units(x, 7);
}

__attribute__((noinline)) static uint64_t burn_light(uint64_t x)
{
	return units(x ^ 1, 3);
}

__attribute__((noinline)) static uint64_t burn_deeper(uint64_t x, int depth)
{
	if (depth > 0)
		return burn_deeper(x, depth - 1) + 1;
	x = burn_heavy(x);
	return burn_light(x) + 1;
}

/* Work for the duty's share of a turn, by the thread's own CPU clock, then sleep for the rest. */
__attribute__((noinline)) static void burn_turn(const struct options *opt)
{
	int64_t start = now_ns(CLOCK_MONOTONIC);
	int64_t budget = TURN_NS * opt->duty / 100;
	int64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	struct timespec end;

	while (!stop && now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu < budget)
		sink += burn_deeper(sink, opt->depth);
	if (opt->duty >= 100)
		return;
	end.tv_sec = (start + TURN_NS) / 1000000000LL;
	end.tv_nsec = (start + TURN_NS) % 1000000000LL;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

static void *worker(void *arg)
{
	while (!stop)
		burn_turn(arg);
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
	stop = true;
}

static struct options parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "threads", required_argument, NULL, 't' },
		{ "seconds", required_argument, NULL, 's' },
		{ "duty", required_argument, NULL, 'd' },
		{ "depth", required_argument, NULL, 'n' },
		{ 0 },
	};
	struct options opt = { .threads = 1, .duty = 100, .depth = 8, .seconds = 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 't':
			opt.threads = atoi(optarg);
			break;
		case 's':
			opt.seconds = atof(optarg);
			break;
		case 'd':
			opt.duty = atoi(optarg);
			break;
		case 'n':
			opt.depth = atoi(optarg);
			break;
		default:
			exit(2);
		}
	}
	return opt;
}

static void wait_for_end(const struct options *opt)
{
	struct timespec ts = { .tv_sec = 1000000 };

	if (opt->seconds > 0) {
		ts.tv_sec = (time_t)opt->seconds;
		ts.tv_nsec = (long)((opt->seconds - (double)ts.tv_sec) * 1e9);
	}
	nanosleep(&ts, NULL);
	stop = true;
}

int main(int argc, char **argv)
{
	struct options opt = parse(argc, argv);
	pthread_t *thread = calloc((size_t)opt.threads, sizeof(*thread));
	struct sigaction sa = { .sa_handler = on_signal };

	if (!thread)
		return 1;
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	for (int i = 0; i < opt.threads; i++) {
		if (pthread_create(&thread[i], NULL, worker, &opt) != 0)
			return 1;
	}
	wait_for_end(&opt);
	for (int i = 0; i < opt.threads; i++)
		pthread_join(thread[i], NULL);
	printf("{\"cpu_ns\": %lld}\n", (long long)now_ns(CLOCK_PROCESS_CPUTIME_ID));
	free(thread);
	return 0;
}
