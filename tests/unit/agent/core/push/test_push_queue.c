/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/agent/push_world.h"

static void check_bounds(size_t memory_max, size_t spool_max)
{
	struct push_queue_stats stats;
	size_t all = 0;

	push_queue_stats(w.queue, &stats);
	assert_true(stats.memory_bytes <= memory_max + bytes_away(false));
	assert_true(stats.spool_bytes <= spool_max + bytes_away(true));
	for (size_t i = 0; i < PUSH_GONE_NR; i++)
		all += w.gone_nr[i];
	assert_int_equal(all + stats.nr, w.profile_nr);
}

static void one_step(size_t memory_max, size_t spool_max)
{
	size_t slot = rnd() % PUSH_REQUESTS;
	char ns[16];

	snprintf(ns, sizeof(ns), "ns-%d", (int)(rnd() % 6));
	if (chance(50))
		add(ns, (uint32_t)(16 + rnd() % 9000));
	else if (!w.away[slot])
		(void)take(slot, 3);
	else
		settle(slot, (enum push_outcome)(rnd() % (PUSH_UNREACHABLE + 1)));
	if (chance(1))
		w.spool_broken = !w.spool_broken;
	if (chance(20))
		w.now_ns += (int64_t)(rnd() % (2 * NSEC_PER_SEC));
	if (chance(1))
		push_queue_expire(w.queue, w.now_ns, w.now_ns);
	check_bounds(memory_max, spool_max);
}

static void in_random_worlds_each_goes_once_and_bounds_hold(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		size_t spool_max = seed % 3 ? 200 << 10 : 0;

		begin(50 << 10, spool_max, seed);
		for (int i = 0; i < 4000; i++)
			one_step(50 << 10, spool_max);
		w.spool_broken = false;
		drain();
		assert_int_equal(live(), 0);
		check_bounds(50 << 10, spool_max);
		assert_int_not_equal(w.gone_nr[PUSH_SENT], 0);
		push_queue_free(w.queue);
	}
}

/* Whatever a backend does but to refuse content: nothing is lost within the bounds. */
static void nothing_is_lost_within_the_bounds(void **state)
{
	static const enum push_outcome trouble[] = { PUSH_OK,	       PUSH_RATE_LIMITED,
						     PUSH_REFUSED,     PUSH_FAILED,
						     PUSH_FAILED_LINK, PUSH_UNREACHABLE,
						     PUSH_PARTIAL };

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		begin(64 << 10, 64 << 20, seed);
		for (int i = 0; i < 3000; i++) {
			size_t slot = rnd() % PUSH_REQUESTS;

			if (chance(20))
				add(chance(50) ? "ns-4" : "ns-1", 4000);
			else if (!w.away[slot])
				(void)take(slot, 0);
			else
				settle(slot, trouble[rnd() % ARRAY_SIZE(trouble)]);
			w.now_ns += (int64_t)(rnd() % (NSEC_PER_SEC / 10));
		}
		drain();
		assert_int_equal(w.gone_nr[PUSH_SENT] + w.gone_nr[PUSH_DROPPED_FAILING],
				 w.profile_nr);
		assert_true(w.gone_nr[PUSH_DROPPED_FAILING] <= w.profile_nr / 50);
		push_queue_free(w.queue);
	}
}

static void a_lane_goes_in_order(void **state)
{
	uint32_t next = 0;

	(void)state;
	begin(20 << 10, 1 << 20, 7);
	for (int i = 0; i < 200; i++)
		add("payments", 1000);
	while (take(0, 0)) {
		for (size_t i = 0; i < w.batch[0].nr; i++)
			assert_int_equal(w.number[0][i], next + i);
		if (chance(50)) {
			settle(0, PUSH_UNREACHABLE);
			w.now_ns += PUSH_WAIT_LAST_NS;
			continue;
		}
		next += (uint32_t)w.batch[0].nr;
		settle(0, PUSH_OK);
	}
	assert_int_equal(next, 200);
	push_queue_free(w.queue);
}

static void a_flood_of_one_namespace_drops_its_own(void **state)
{
	uint32_t own[20];

	(void)state;
	begin(64 << 10, 256 << 10, 7);
	for (int i = 0; i < 20; i++) {
		own[i] = add("payments", 1000);
		for (int j = 0; j < 100; j++)
			add("evil", 2000);
	}
	assert_int_not_equal(w.gone_nr[PUSH_DROPPED_SPOOL_FULL], 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(w.gone[own[i]], 0);
	push_queue_free(w.queue);
}

static void a_tenant_that_is_rate_limited_waits_alone(void **state)
{
	uint32_t other;

	(void)state;
	begin(1 << 20, 0, 7);
	add("evil", 100);
	assert_true(take(0, 0));
	assert_string_equal(w.batch[0].tenant, "evil");
	settle(0, PUSH_RATE_LIMITED);
	other = add("payments", 100);
	assert_true(take(0, 0));
	assert_int_equal(w.number[0][0], other);
	settle(0, PUSH_OK);
	assert_false(take(0, 0));
	assert_true(push_queue_due(w.queue, w.now_ns) > w.now_ns);
	assert_true(push_queue_due(w.queue, w.now_ns) < w.now_ns + 2 * PUSH_WAIT_LAST_NS);
	push_queue_free(w.queue);
}

/* Not by more at once: the backend's own failures are short, mostly. */
static void a_wait_is_at_most_twice_the_one_before(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		begin(1 << 20, 0, seed);
		add("payments", 100);
		for (int i = 0; i < 5; i++) {
			int64_t due_ns;

			assert_true(take(0, 0));
			settle(0, seed % 2 ? PUSH_FAILED : PUSH_RATE_LIMITED);
			due_ns = push_queue_due(w.queue, w.now_ns);
			/* Or what it is told now and then, 3 s and a tenth. */
			assert_in_range(due_ns - w.now_ns, NSEC_PER_SEC / 4,
					MAX(PUSH_WAIT_FIRST_NS << i, 33 * NSEC_PER_SEC / 10));
			w.now_ns = due_ns;
		}
		push_queue_free(w.queue);
	}
}

static void when_nobody_answers_one_request_probes(void **state)
{
	(void)state;
	begin(1 << 20, 0, 7);
	for (int i = 0; i < 6; i++) {
		char ns[8];

		snprintf(ns, sizeof(ns), "ns-%d", i);
		add(ns, 100);
	}
	assert_true(take(0, 0) && take(1, 0) && take(2, 0) && take(3, 0));
	settle_all(PUSH_UNREACHABLE);
	assert_false(take(0, 0));
	w.now_ns = push_queue_due(w.queue, w.now_ns);
	assert_true(take(0, 0));
	assert_false(take(1, 0));
	settle(0, PUSH_OK);
	assert_true(take(0, 0) && take(1, 0));
	settle_all(PUSH_OK);
	push_queue_free(w.queue);
}

/* The backend refuses what number `bad` is in; it takes the rest. */
static enum push_outcome refuse(uint32_t bad, enum push_outcome how)
{
	for (size_t i = 0; i < w.batch[0].nr; i++)
		if (w.number[0][i] == bad)
			return how;
	return PUSH_OK;
}

static void check_one_bad(enum push_outcome how, enum push_gone why)
{
	begin(1 << 20, 0, 7);
	for (int i = 0; i < 40; i++)
		add("payments", 100);
	for (int i = 0; i < 1000 && live(); i++) {
		if (take(0, 0))
			settle(0, refuse(5, how));
		w.now_ns = MIN(push_queue_due(w.queue, w.now_ns), w.now_ns + AGE_NS / 1000);
	}
	assert_int_equal(w.gone[5], why + 1);
	assert_int_equal(w.gone_nr[PUSH_SENT], 39);
	push_queue_free(w.queue);
}

static void one_bad_profile_takes_no_other_with_it(void **state)
{
	(void)state;
	check_one_bad(PUSH_REJECTED, PUSH_DROPPED_REJECTED);
	check_one_bad(PUSH_TOO_OLD, PUSH_DROPPED_TOO_OLD);
	check_one_bad(PUSH_TOO_LARGE, PUSH_DROPPED_TOO_LARGE);
	check_one_bad(PUSH_DOUBTFUL, PUSH_DROPPED_REJECTED);
	check_one_bad(PUSH_FAILED, PUSH_DROPPED_FAILING);
	check_one_bad(PUSH_FAILED_LINK, PUSH_DROPPED_FAILING);
}

static void what_a_series_is_not_taken_for_is_sent_alone(void **state)
{
	struct push_verdict verdict = { .outcome = PUSH_PARTIAL, .failed = 1 << 2 };

	(void)state;
	begin(1 << 20, 0, 7);
	for (int i = 0; i < 5; i++)
		add("payments", 100);
	assert_true(take(0, 0));
	push_queue_settle(w.queue, &w.batch[0], &verdict, w.now_ns, 1);
	w.away[0] = false;
	assert_int_equal(w.gone_nr[PUSH_SENT], 4);
	assert_true(take(0, 0));
	assert_int_equal(w.batch[0].nr, 1);
	assert_int_equal(w.number[0][0], 2);
	settle(0, PUSH_REJECTED);
	assert_int_equal(live(), 0);
	push_queue_free(w.queue);
}

static void too_large_batches_become_smaller(void **state)
{
	size_t before;

	(void)state;
	begin(8 << 20, 0, 7);
	for (int i = 0; i < 100; i++)
		add("payments", 20000);
	assert_true(take(0, 0));
	before = w.batch[0].nr;
	settle(0, PUSH_TOO_LARGE);
	for (size_t i = 0; i < before; i++) {
		assert_true(take(0, 0));
		settle(0, PUSH_OK);
	}
	assert_true(take(0, 0));
	assert_in_range(w.batch[0].nr, 2, before / 2 + 1);
	settle(0, PUSH_OK);
	push_queue_free(w.queue);
}

/* Of a bucket that holds five no request of six is ever served. */
static void a_rate_limit_below_one_request_is_met_by_smaller_ones(void **state)
{
	int limited = 0;

	(void)state;
	begin(8 << 20, 0, 7);
	for (int i = 0; i < 100; i++)
		add("payments", 100);
	for (int i = 0; i < 200 && live(); i++) {
		if (take(0, 0)) {
			limited += w.batch[0].nr > 5;
			settle(0, w.batch[0].nr > 5 ? PUSH_RATE_LIMITED : PUSH_OK);
		}
		w.now_ns = MIN(push_queue_due(w.queue, w.now_ns), w.now_ns + 3 * NSEC_PER_SEC);
	}
	assert_int_equal(w.gone_nr[PUSH_SENT], 100);
	assert_in_range(limited, 3, 30);
	push_queue_free(w.queue);
}

static void the_old_are_dropped_unsent(void **state)
{
	(void)state;
	begin(1 << 20, 0, 7);
	add("payments", 100);
	w.now_ns += AGE_NS;
	add("payments", 100);
	w.now_ns += 1;
	push_queue_expire(w.queue, w.now_ns, w.now_ns);
	assert_int_equal(w.gone_nr[PUSH_DROPPED_TOO_OLD], 1);
	assert_int_equal(live(), 1);
	push_queue_free(w.queue);
}

static void a_spool_that_was_there_goes_first(void **state)
{
	(void)state;
	begin(1 << 20, 1 << 20, 7);
	w.of_seq[41] = 0;
	w.of_seq[42] = 1;
	w.len[0] = 100;
	w.profile_nr = 1;
	push_queue_add_spooled(w.queue, "payments", w.now_ns, 41, 4096);
	{
		uint8_t *data = xcalloc(100, 1);

		w.len[1] = 100;
		w.profile_nr = 2;
		push_queue_add(w.queue, "payments", w.now_ns, data, 100);
	}
	assert_true(take(0, 0));
	assert_int_equal(w.batch[0].nr, 2);
	assert_int_equal(w.batch[0].entry[0]->seq, 41);
	assert_int_equal(w.batch[0].entry[1]->seq, 42);
	settle(0, PUSH_UNREACHABLE);
	push_queue_stop(w.queue);
	check_bounds(0, 1 << 20);
	push_queue_free(w.queue);
}

static void at_the_end_without_a_spool_all_are_counted(void **state)
{
	(void)state;
	begin(1 << 20, 0, 7);
	for (int i = 0; i < 9; i++)
		add(i % 2 ? "payments" : "shop", 100);
	push_queue_stop(w.queue);
	assert_int_equal(w.gone_nr[PUSH_DROPPED_STOPPED], 9);
	assert_int_equal(live(), 0);
	push_queue_free(w.queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_random_worlds_each_goes_once_and_bounds_hold),
		cmocka_unit_test(nothing_is_lost_within_the_bounds),
		cmocka_unit_test(a_lane_goes_in_order),
		cmocka_unit_test(a_flood_of_one_namespace_drops_its_own),
		cmocka_unit_test(a_tenant_that_is_rate_limited_waits_alone),
		cmocka_unit_test(a_wait_is_at_most_twice_the_one_before),
		cmocka_unit_test(when_nobody_answers_one_request_probes),
		cmocka_unit_test(one_bad_profile_takes_no_other_with_it),
		cmocka_unit_test(what_a_series_is_not_taken_for_is_sent_alone),
		cmocka_unit_test(too_large_batches_become_smaller),
		cmocka_unit_test(a_rate_limit_below_one_request_is_met_by_smaller_ones),
		cmocka_unit_test(the_old_are_dropped_unsent),
		cmocka_unit_test(a_spool_that_was_there_goes_first),
		cmocka_unit_test(at_the_end_without_a_spool_all_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
