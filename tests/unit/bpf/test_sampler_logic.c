/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bpf/sampler_logic.h"
#include "lib/core/base.h"

#define PERIOD(hz) (NSEC_PER_SEC / (hz))

/* A container on one CPU, and what was taken of it. */
struct sim {
	struct prof_state state;
	uint64_t rnd;
	uint64_t samples, sum_ns;
};

static uint32_t next_rnd(struct sim *sim)
{
	sim->rnd = sim->rnd * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(sim->rnd >> 32);
}

/* One hit, as the BPF program does it; returns the weight. */
static uint64_t hit(struct sim *sim, uint64_t tick_ns, uint32_t class_ns)
{
	bool draw;
	uint64_t weight = prof_hit(&sim->state, tick_ns, class_ns, &draw);

	if (draw)
		prof_draw(&sim->state, next_rnd(sim));
	sim->samples += weight != 0;
	sim->sum_ns += weight;
	return weight;
}

static void assert_near(double got, double want, double tolerance)
{
	if (got < want * (1 - tolerance) || got > want * (1 + tolerance))
		fail_msg("%.6g is not within %.2g of %.6g", got, tolerance, want);
}

static void every_rate_is_reached_on_every_base_that_can_give_it(void **state)
{
	static const struct {
		uint32_t base, rate;
	} cases[] = { { 53, 19 },   { 53, 49 },	 { 53, 1 },   { 107, 19 },  { 107, 49 },
		      { 107, 100 }, { 211, 19 }, { 211, 49 }, { 211, 100 }, { 211, 200 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim sim = { .rnd = i };

		for (uint32_t n = 0; n < 100 * cases[i].base; n++)
			hit(&sim, PERIOD(cases[i].base), PERIOD(cases[i].rate));
		assert_near((double)sim.samples, 100.0 * cases[i].rate, 0.03);
	}
}

static void a_class_faster_than_the_base_gets_every_hit_and_piles_up_no_debt(void **state)
{
	struct sim sim = { .rnd = 1 };

	(void)state;
	for (int n = 0; n < 5300; n++)
		hit(&sim, PERIOD(53), PERIOD(200));
	assert_in_range(sim.samples, 5290, 5300);
	sim.samples = 0;
	for (int n = 0; n < 21100; n++)
		hit(&sim, PERIOD(211), PERIOD(200));
	assert_near((double)sim.samples, 20000, 0.01);
}

static void weights_add_up_exactly_at_every_moment_and_across_changes(void **state)
{
	static const uint32_t rate[] = { 19, 100, 49, 200, 1, 19 };
	static const uint32_t base[] = { 53, 107, 107, 211, 53, 53 };
	struct sim sim = { .rnd = 3 };
	uint64_t seen = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rate); i++) {
		for (uint32_t n = 0; n < 10 * base[i]; n++) {
			hit(&sim, PERIOD(base[i]), PERIOD(rate[i]));
			seen += PERIOD(base[i]);
			assert_int_equal(sim.state.ns, seen);
			assert_int_equal(sim.sum_ns, sim.state.last_ns);
			assert_true(seen - sim.sum_ns <= 2 * PERIOD(1) + PERIOD(19));
		}
	}
}

static void a_raise_takes_effect_within_a_stratum_of_the_new_rate(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct sim sim = { .rnd = seed };
		int hits = 0;

		for (int n = 0; n < 500; n++)
			hit(&sim, PERIOD(107), PERIOD(1));
		while (!hit(&sim, PERIOD(107), PERIOD(100)))
			hits++;
		assert_in_range(hits, 0, 2);
	}
}

static void a_change_of_rate_weighs_what_ran_before_it_too(void **state)
{
	struct sim sim = { .rnd = 7 };
	uint64_t open, weight, hits = 0;

	(void)state;
	do {
		hit(&sim, PERIOD(107), PERIOD(1));
		open = sim.state.ns - sim.state.last_ns;
	} while (open < NSEC_PER_SEC / 3);
	do {
		weight = hit(&sim, PERIOD(107), PERIOD(100));
		hits++;
	} while (!weight);
	assert_int_equal(weight, open + hits * PERIOD(107));
}

static void time_in_which_a_class_was_off_is_in_no_weight(void **state)
{
	struct sim sim = { .rnd = 9 };

	(void)state;
	for (int n = 0; n < 100; n++)
		hit(&sim, PERIOD(53), PERIOD(19));
	sim.sum_ns = 0;
	for (int n = 0; n < 1000; n++)
		assert_int_equal(hit(&sim, PERIOD(53), 0), 0);
	for (int n = 0; n < 53; n++)
		hit(&sim, PERIOD(53), PERIOD(19));
	assert_true(sim.sum_ns <= 53 * PERIOD(53));
	assert_true(sim.sum_ns >= 53 * PERIOD(53) - 2 * PERIOD(19) - PERIOD(53));
}

static void off_and_on_again_at_the_same_rate_begins_afresh(void **state)
{
	struct sim sim = { .rnd = 9 };

	(void)state;
	hit(&sim, PERIOD(53), PERIOD(1));
	for (int n = 0; n < 10000; n++)
		hit(&sim, PERIOD(53), 0);
	for (int n = 0; n < 530; n++)
		hit(&sim, PERIOD(53), PERIOD(1));
	assert_in_range(sim.samples, 8, 11);
}

/* A container with a quota of 15 ms in 100 ms is hit only while it runs; what runs at which part of
 * its turn is known, and the samples must show the same share. */
static void a_periodic_container_is_not_sampled_in_lockstep(void **state)
{
	static const uint32_t rate[] = { 19, 20, 49, 50, 100 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rate); i++) {
		struct sim sim = { .rnd = i };
		uint64_t hits = 0, first_hits = 0, first_ns = 0;

		for (uint64_t t = 0; t < 2000 * (uint64_t)NSEC_PER_SEC; t += PERIOD(107)) {
			uint64_t phase = t % (100 * NSEC_PER_MSEC), weight;

			if (phase >= 15 * NSEC_PER_MSEC)
				continue;
			weight = hit(&sim, PERIOD(107), PERIOD(rate[i]));
			hits++;
			first_hits += phase < 5 * NSEC_PER_MSEC;
			first_ns += phase < 5 * NSEC_PER_MSEC ? weight : 0;
		}
		assert_near((double)sim.samples,
			    (double)(hits * PERIOD(107)) / (double)PERIOD(rate[i]), 0.03);
		assert_near((double)first_ns / (double)sim.sum_ns,
			    (double)first_hits / (double)hits, 0.08);
	}
}

static void a_pattern_in_step_with_the_strata_is_seen_in_its_true_share(void **state)
{
	(void)state;
	for (uint32_t every = 2; every <= 12; every++) {
		struct sim sim = { .rnd = every };
		uint64_t special = 0;

		for (uint32_t n = 0; n < 300000; n++)
			special += hit(&sim, PERIOD(107), PERIOD(107) * every) && n % every == 0;
		assert_near((double)special, (double)sim.samples / every, 0.06);
	}
}

static void each_cpu_keeps_its_own_account(void **state)
{
	struct sim cpu[2] = { { .rnd = 1 }, { .rnd = 2 } };

	(void)state;
	for (int n = 0; n < 10700; n++) {
		hit(&cpu[0], PERIOD(107), PERIOD(19));
		if (n % 3 == 0)
			hit(&cpu[1], PERIOD(107), PERIOD(19));
	}
	assert_near((double)cpu[0].samples, 1900, 0.02);
	assert_near((double)cpu[1].samples, 1900.0 / 3, 0.03);
	assert_true(cpu[0].state.ns - cpu[0].sum_ns <= 2 * PERIOD(19) + PERIOD(107));
	assert_true(cpu[1].state.ns - cpu[1].sum_ns <= 2 * PERIOD(19) + PERIOD(107));
}

static void check(uint64_t fp, uint64_t low, enum prof_end want)
{
	struct prof_frame frame = { .fp = fp, .low = low };

	assert_int_equal(prof_fp_check(&frame), want);
}

static void a_frame_pointer_must_ascend_and_be_aligned(void **state)
{
	(void)state;
	check(0, 0x7000, PROF_END_COMPLETE);
	check(0x7000, 0x7000, PROF_END_NONE);
	check(0x7ff0, 0x7000, PROF_END_NONE);
	check(0x6ff8, 0x7000, PROF_END_BROKEN);
	check(0x7004, 0x7000, PROF_END_BROKEN);
	check(1, 0, PROF_END_BROKEN);
	check(0x800, 0, PROF_END_BROKEN);
	check(0xffffffff81000000, 0x7000, PROF_END_BROKEN);
	check(1ULL << 56, 0x7000, PROF_END_BROKEN);
}

static void a_step_goes_to_the_caller_or_leaves_the_frame_alone(void **state)
{
	struct prof_frame frame = { .ip = 1, .fp = 0x7000, .low = 0x6000 };
	const uint64_t last[2] = { 0x7100, 0 }, wild[2] = { 0x7100, 0xffffffffff600000 };
	const uint64_t small[2] = { 0x7100, 12 }, good[2] = { 0x7100, 0x401000 };

	(void)state;
	assert_int_equal(prof_fp_step(&frame, (const __u64 *)last), PROF_END_COMPLETE);
	assert_int_equal(prof_fp_step(&frame, (const __u64 *)wild), PROF_END_BROKEN);
	assert_int_equal(prof_fp_step(&frame, (const __u64 *)small), PROF_END_BROKEN);
	assert_int_equal(frame.ip, 1);
	assert_int_equal(prof_fp_step(&frame, (const __u64 *)good), PROF_END_NONE);
	assert_int_equal(frame.ip, 0x401000);
	assert_int_equal(frame.fp, 0x7100);
	assert_int_equal(frame.low, 0x7010);
}

static void a_chain_that_points_at_itself_ends(void **state)
{
	struct prof_frame frame = { .ip = 1, .fp = 0x7000, .low = 0x7000 };
	const __u64 self[2] = { 0x7000, 0x401000 };

	(void)state;
	assert_int_equal(prof_fp_step(&frame, self), PROF_END_NONE);
	assert_int_equal(prof_fp_check(&frame), PROF_END_BROKEN);
}

static uint64_t hash(const uint64_t *ip, uint32_t nr, uint64_t seed)
{
	uint64_t h = seed;

	for (uint32_t i = 0; i < nr; i++)
		h = prof_hash_step(h, ip[i], seed);
	return prof_hash_end(h, nr);
}

static void the_hash_depends_on_order_length_and_seed(void **state)
{
	const uint64_t a[] = { 0x1000, 0x2000, 0 }, b[] = { 0x2000, 0x1000, 0 };

	(void)state;
	assert_true(hash(a, 2, 5) == hash(a, 2, 5));
	assert_true(hash(a, 2, 5) != hash(b, 2, 5));
	assert_true(hash(a, 2, 5) != hash(a, 3, 5));
	assert_true(hash(a, 2, 5) != hash(a, 1, 5));
	assert_true(hash(a, 2, 5) != hash(a, 2, 7));
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void no_two_of_many_alike_stacks_meet(void **state)
{
	enum { NR = 200000 };
	uint64_t *all = xcalloc(NR, sizeof(*all));
	uint64_t ip[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ip); i++)
		ip[i] = 0x555555550000 + i * 16;
	for (uint64_t n = 0; n < NR; n++) {
		ip[n % 16] += 1 + n / 16;
		all[n] = hash(ip, 16, 0x243f6a8885a308d3);
	}
	qsort(all, NR, sizeof(*all), by_value);
	for (size_t n = 1; n < NR; n++)
		assert_true(all[n] != all[n - 1]);
	free(all);
}

static void only_a_thread_that_was_in_user_mode_has_a_user_stack(void **state)
{
	(void)state;
	assert_true(prof_is_user_frame(0x33, 0x401000, 0x7ffe0000));
	assert_true(prof_is_user_frame(0x33, 0, 0x7ffe0000)); /* it called NULL */
	assert_false(prof_is_user_frame(0x33, 0,
					0)); /* made by the kernel, with its maker's registers */
	assert_false(prof_is_user_frame(0x10, 0x401000, 0x7ffe0000));
	assert_false(prof_is_user_frame(PROF_USER_CS32, 0x401000, 0x7ffe0000));
	assert_true(prof_is_user_task(0x00400040));
	assert_false(prof_is_user_task(0x00400040 | PROF_TASK_KTHREAD));
	assert_false(prof_is_user_task(0x00400040 | PROF_TASK_IO_WORKER));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rate_is_reached_on_every_base_that_can_give_it),
		cmocka_unit_test(a_class_faster_than_the_base_gets_every_hit_and_piles_up_no_debt),
		cmocka_unit_test(weights_add_up_exactly_at_every_moment_and_across_changes),
		cmocka_unit_test(a_raise_takes_effect_within_a_stratum_of_the_new_rate),
		cmocka_unit_test(a_change_of_rate_weighs_what_ran_before_it_too),
		cmocka_unit_test(time_in_which_a_class_was_off_is_in_no_weight),
		cmocka_unit_test(off_and_on_again_at_the_same_rate_begins_afresh),
		cmocka_unit_test(a_periodic_container_is_not_sampled_in_lockstep),
		cmocka_unit_test(a_pattern_in_step_with_the_strata_is_seen_in_its_true_share),
		cmocka_unit_test(each_cpu_keeps_its_own_account),
		cmocka_unit_test(a_frame_pointer_must_ascend_and_be_aligned),
		cmocka_unit_test(a_step_goes_to_the_caller_or_leaves_the_frame_alone),
		cmocka_unit_test(a_chain_that_points_at_itself_ends),
		cmocka_unit_test(the_hash_depends_on_order_length_and_seed),
		cmocka_unit_test(no_two_of_many_alike_stacks_meet),
		cmocka_unit_test(only_a_thread_that_was_in_user_mode_has_a_user_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
