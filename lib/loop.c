/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/loop.h"

#include "lib/observe/metrics.h"

#include <assert.h>
#include <signal.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define PROBE_MS 100

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

int64_t now_boot_ns(void)
{
	return now_ns(CLOCK_BOOTTIME);
}

int64_t now_wall_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

uint64_t random_u64(void)
{
	uint64_t value;

	if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
		abort();
	return value;
}

/* CLOCK_MONOTONIC: a machine that slept has no slow loop. */
static void on_probe(uv_timer_t *timer)
{
	struct loop_lag *lag = timer->data;
	int64_t now = now_ns(CLOCK_MONOTONIC);
	double seconds = (double)MAX(now - lag->due_ns, 0) / NSEC_PER_SEC;

	metric_observe(lag->histogram, seconds);
	lag->max_seconds = MAX(lag->max_seconds, seconds);
	lag->due_ns = now + PROBE_MS * NSEC_PER_MSEC;
	uv_timer_start(timer, on_probe, PROBE_MS, 0);
}

static void on_scrape(void *ctx)
{
	struct loop_lag *lag = ctx;

	metric_set(lag->max, lag->max_seconds);
	lag->max_seconds = 0;
}

void loop_lag_start(struct loop_lag *lag, uv_loop_t *loop, struct metrics *metrics,
		    const char *prefix)
{
	static const double bound[] = { .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5 };
	cleanup(freep) char *histogram = xasprintf("%s_loop_lag_seconds", prefix);
	cleanup(freep) char *max = xasprintf("%s_loop_lag_max_seconds", prefix);

	*lag = (struct loop_lag){ 0 };
	lag->histogram = metrics_histogram(metrics, histogram,
					   "How late a 100 ms timer of the event loop fires.",
					   METRIC_NO_LABELS, bound, ARRAY_SIZE(bound));
	lag->max = metrics_gauge(metrics, max, "The greatest loop lag since the last scrape.",
				 METRIC_NO_LABELS);
	if (metrics)
		metrics_on_scrape(metrics, on_scrape, lag);
	uv_timer_init(loop, &lag->timer);
	lag->timer.data = lag;
	lag->due_ns = now_ns(CLOCK_MONOTONIC) + PROBE_MS * NSEC_PER_MSEC;
	uv_update_time(loop);
	uv_timer_start(&lag->timer, on_probe, PROBE_MS, 0);
	uv_unref((uv_handle_t *)&lag->timer);
}

void loop_lag_close(struct loop_lag *lag)
{
	uv_close((uv_handle_t *)&lag->timer, NULL);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct loop_stop *stop = handle->data;

	if (stop->stopping)
		_exit(1);
	stop->stopping = true;
	stop->stop(stop->ctx, signum == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void watch_signal(uv_loop_t *loop, uv_signal_t *handle, int signum, struct loop_stop *stop)
{
	/* Fails only without descriptors or memory, before anything has begun. */
	if (uv_signal_init(loop, handle) < 0 || uv_signal_start(handle, on_signal, signum) < 0)
		abort();
	handle->data = stop;
	uv_unref((uv_handle_t *)handle);
}

void loop_stop_start(struct loop_stop *stop, uv_loop_t *loop,
		     void (*callback)(void *ctx, const char *signal_name), void *ctx)
{
	*stop = (struct loop_stop){ .stop = callback, .ctx = ctx };
	signal(SIGPIPE, SIG_IGN);
	watch_signal(loop, &stop->term, SIGTERM, stop);
	watch_signal(loop, &stop->interrupt, SIGINT, stop);
}

void loop_stop_close(struct loop_stop *stop)
{
	uv_close((uv_handle_t *)&stop->term, NULL);
	uv_close((uv_handle_t *)&stop->interrupt, NULL);
}
