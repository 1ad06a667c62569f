/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controller/core/compile/tally.h"
#include "tests/unit/lib/random_plan.h"

static void random_name(uint64_t *seed, char *ret_name)
{
	static const char *const name[] = { "", "a", "steady", "team-ceiling" };

	summary_set_name(ret_name, name[random_below(seed, ARRAY_SIZE(name))]);
}

/* A summary with everything in it, by chance. */
static struct policy_summary random_summary(uint64_t *seed)
{
	struct policy_summary summary;

	memset(&summary, 0, sizeof(summary)); /* the holes, too: it is compared as bytes */
	summary.pods = random_below(seed, 3);
	summary.nodes = summary.pods > 0;
	summary.rate_hz = random_below(seed, 201);
	summary.in_force = random_below(seed, 2);
	summary.has_part = random_below(seed, 2);
	random_name(seed, summary.winner);
	random_name(seed, summary.cpu_off_by);
	summary.left_out = random_below(seed, 2);
	summary.no_labels = random_below(seed, 2);
	summary.lost = random_below(seed, 8);
	summary.lost_pod = summary.lost ? "p-1" : NULL;
	summary.clamped = random_below(seed, 2);
	summary.rate_from_hz = random_below(seed, 201);
	summary.rate_to_hz = random_below(seed, 201);
	summary.caps_lost = random_below(seed, 8);
	random_name(seed, summary.clamped_by);
	return summary;
}

/* Whoever adds a member to the summary and forgets the tally finds it here, if random_summary() knows it. */
static void a_tally_keeps_all_of_a_summary(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct policy_summary summary = random_summary(&seed), back;
		struct tally tally;

		tally_init(&tally, "p", &summary);
		tally_summary(&tally, &back);
		assert_string_equal(back.winner, summary.winner);
		assert_string_equal(back.cpu_off_by, summary.cpu_off_by);
		assert_string_equal(back.clamped_by, summary.clamped_by);
		assert_int_equal(back.pods, summary.pods);
		assert_int_equal(back.nodes, summary.nodes);
		assert_int_equal(back.rate_hz, summary.rate_hz);
		assert_int_equal(back.in_force, summary.in_force);
		assert_int_equal(back.has_part, summary.has_part);
		assert_int_equal(back.left_out, summary.left_out);
		assert_int_equal(back.no_labels, summary.no_labels);
		assert_int_equal(back.lost, summary.lost);
		assert_int_equal(back.clamped, summary.clamped);
		assert_int_equal(back.rate_from_hz, summary.rate_from_hz);
		assert_int_equal(back.rate_to_hz, summary.rate_to_hz);
		assert_int_equal(back.caps_lost, summary.caps_lost);
		assert_true(!back.lost_pod == !summary.lost_pod);
		if (back.lost_pod)
			assert_string_equal(back.lost_pod, summary.lost_pod);
		tally_release(&tally);
	}
}

static void tallies_are_found_by_policy(void **state)
{
	static const char *const name[] = { "a", "b", "d" };
	const struct policy_summary summary = { .pods = 1 };
	struct tally tally[ARRAY_SIZE(name)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(name); i++)
		tally_init(&tally[i], name[i], &summary);
	for (size_t i = 0; i < ARRAY_SIZE(name); i++)
		assert_ptr_equal(tally_find(tally, ARRAY_SIZE(name), name[i]), &tally[i]);
	assert_null(tally_find(tally, ARRAY_SIZE(name), "c"));
	assert_null(tally_find(NULL, 0, "a"));
	for (size_t i = 0; i < ARRAY_SIZE(name); i++)
		tally_release(&tally[i]);
}

/* There may be one for each of 2,000 policies on each of 5,000 nodes. */
static void a_tally_is_small(void **state)
{
	(void)state;
	assert_in_range(sizeof(struct tally), 1, 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tally_keeps_all_of_a_summary),
		cmocka_unit_test(tallies_are_found_by_policy),
		cmocka_unit_test(a_tally_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
