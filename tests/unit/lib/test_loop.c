/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/loop.h"
#include "lib/observe/metrics.h"

static void do_nothing(uv_timer_t *timer)
{
	(void)timer;
}

/* The probe and the signals do not keep a loop alive, this does. */
static void start_loop(uv_loop_t *loop, uv_timer_t *alive)
{
	uv_loop_init(loop);
	uv_timer_init(loop, alive);
	uv_timer_start(alive, do_nothing, 60000, 0);
}

static void end_loop(uv_loop_t *loop, uv_timer_t *alive)
{
	uv_close((uv_handle_t *)alive, NULL);
	uv_run(loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(loop), 0);
}

static void the_lag_of_a_blocked_loop_is_seen(void **state)
{
	uv_loop_t loop;
	uv_timer_t alive;
	struct metrics *metrics = metrics_new();
	struct loop_lag lag;
	cleanup(freep) char *text = NULL;

	(void)state;
	start_loop(&loop, &alive);
	loop_lag_start(&lag, &loop, metrics, "rubato_test");
	usleep(160000);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_true(lag.max_seconds >= 0.05);
	text = metrics_render(metrics, NULL);
	assert_non_null(strstr(text, "rubato_test_loop_lag_seconds_count 1\n"));
	assert_non_null(strstr(text, "rubato_test_loop_lag_max_seconds 0."));
	loop_lag_close(&lag);
	end_loop(&loop, &alive);
	metrics_free(metrics);
}

static void note_stop(void *ctx, const char *signal_name)
{
	*(const char **)ctx = signal_name;
}

static void the_first_sigterm_asks_to_stop(void **state)
{
	uv_loop_t loop;
	uv_timer_t alive;
	struct loop_stop stopper;
	const char *name = NULL;

	(void)state;
	start_loop(&loop, &alive);
	loop_stop_start(&stopper, &loop, note_stop, &name);
	raise(SIGTERM);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_non_null(name);
	assert_string_equal(name, "SIGTERM");
	loop_stop_close(&stopper);
	end_loop(&loop, &alive);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lag_of_a_blocked_loop_is_seen),
		cmocka_unit_test(the_first_sigterm_asks_to_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
