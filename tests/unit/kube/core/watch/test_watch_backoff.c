/* SPDX-License-Identifier: Apache-2.0 */

/* How long a watch waits before it asks again, and what it asks then. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kube/core/watch/watch_fsm.h"

static const struct watch_event refused = { .type = WATCH_FAILED, .failure = WATCH_FAIL_CONNECT };
static const struct watch_event broken_off = { .type = WATCH_FAILED };
static const struct watch_event start = { .type = WATCH_START };

/* A watch from version 7. */
static void begin(struct watch_state *state)
{
	const struct watch_event page = { .type = WATCH_PAGE, .resource_version = "7" };

	watch_init(state);
	state->list_only = true;
	watch_step(state, &start, 1, 0);
	watch_step(state, &page, 1, 0);
	assert_int_equal(state->now, WATCH_ASK_WATCH);
}

/* The longest of `nr` waits that follow such failures. */
static int64_t longest(struct watch_state *state, const struct watch_event *failure, int nr)
{
	int64_t wait_ns = 0;

	for (int i = 0; i < nr; i++) {
		for (uint64_t rnd = 0; rnd < 50; rnd++) {
			struct watch_state copy = *state;
			struct watch_do todo =
				watch_step(&copy, failure, 1, rnd * 99 * NSEC_PER_MSEC);

			assert_true(todo.cancel && todo.wait_ns >= 800 * NSEC_PER_MSEC);
			wait_ns = MAX(wait_ns, todo.wait_ns);
		}
		watch_step(state, failure, 1, 0);
		watch_step(state, &start, 1, 0);
	}
	return wait_ns;
}

static void a_refused_connection_is_tried_again_within_5_s(void **state)
{
	struct watch_state watch;
	int64_t wait_ns;

	(void)state;
	begin(&watch);
	wait_ns = longest(&watch, &refused, 20);
	assert_in_range(wait_ns, 4 * NSEC_PER_SEC, 5 * NSEC_PER_SEC);
}

static void other_failures_are_waited_for_up_to_a_minute(void **state)
{
	struct watch_state watch;
	int64_t wait_ns;

	(void)state;
	begin(&watch);
	wait_ns = longest(&watch, &broken_off, 20);
	assert_in_range(wait_ns, 30 * NSEC_PER_SEC, 60 * NSEC_PER_SEC);
}

static void what_a_server_says_that_has_just_begun_is_not_believed_for_long(void **state)
{
	static const int code[] = { 403, 404, 500, 503 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(code); i++) {
		const struct watch_event said = { .type = WATCH_REFUSED_HTTP,
						  .status = { .code = code[i] } };
		struct watch_state watch;

		begin(&watch);
		longest(&watch, &refused, 20);
		assert_true(longest(&watch, &said, 1) < 1600 * NSEC_PER_MSEC);
		assert_in_range(longest(&watch, &said, 20), 30 * NSEC_PER_SEC, 60 * NSEC_PER_SEC);
	}
}

static void refused_connections_do_not_make_other_waits_longer(void **state)
{
	struct watch_state watch;
	int64_t wait_ns;

	(void)state;
	begin(&watch);
	longest(&watch, &refused, 20);
	wait_ns = longest(&watch, &broken_off, 1);
	assert_true(wait_ns < 1600 * NSEC_PER_MSEC);
}

static void after_it_the_watch_goes_on_where_it_was(void **state)
{
	struct watch_state watch;
	struct watch_do todo;
	char query[WATCH_QUERY_MAX];

	(void)state;
	begin(&watch);
	longest(&watch, &refused, 20);
	watch_step(&watch, &refused, 1, 0);
	todo = watch_step(&watch, &start, 1, 0);
	watch_query(&watch, query);
	assert_int_equal(todo.ask, WATCH_ASK_WATCH);
	assert_non_null(strstr(query, "&resourceVersion=7"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_connection_is_tried_again_within_5_s),
		cmocka_unit_test(other_failures_are_waited_for_up_to_a_minute),
		cmocka_unit_test(what_a_server_says_that_has_just_begun_is_not_believed_for_long),
		cmocka_unit_test(refused_connections_do_not_make_other_waits_longer),
		cmocka_unit_test(after_it_the_watch_goes_on_where_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
