/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

/* What every daemon hangs on its one libuv loop: clocks, a probe of the loop's lag, a clean stop.
 *
 * The handles belong to the struct; *_close() ends them, and the struct may be freed after the loop has run
 * their close callbacks (uv_run until it returns 0).
 */

#include "lib/core/base.h"

#include <uv.h>

struct metrics;
struct metric;

int64_t now_boot_ns(void); /* CLOCK_BOOTTIME: deadlines; counts while the machine sleeps */
int64_t now_wall_ns(void); /* CLOCK_REALTIME: what people read */

/* 64 random bits from the kernel, for jitter and ids. */
uint64_t random_u64(void);

/* How late a 100 ms timer fires: PREFIX_loop_lag_seconds (histogram) and PREFIX_loop_lag_max_seconds (gauge;
 * the greatest since the last scrape).  Does not keep the loop alive.  The struct
 * must live as long as `metrics` (may be NULL) is rendered. */
struct loop_lag {
	uv_timer_t timer;
	struct metric *histogram, *max;
	int64_t due_ns;
	double max_seconds;
};

void loop_lag_start(struct loop_lag *lag, uv_loop_t *loop, struct metrics *metrics,
		    const char *prefix);
void loop_lag_close(struct loop_lag *lag);

/* Call `stop` on the first SIGTERM or SIGINT; a second one ends the process at once (exit status 1).  Also
 * ignores SIGPIPE.  Does not keep the loop alive. */
struct loop_stop {
	uv_signal_t term, interrupt;
	void (*stop)(void *ctx, const char *signal_name);
	void *ctx;
	bool stopping;
};

void loop_stop_start(struct loop_stop *stop, uv_loop_t *loop,
		     void (*callback)(void *ctx, const char *signal_name), void *ctx);
void loop_stop_close(struct loop_stop *stop);

#endif
