/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "controller/core/status/status_grace.h"

static json_t *status(int generation, const char *reason)
{
	json_t *json = json_pack("{s:i, s:[{s:s, s:s}, {s:s, s:s}]}", "observedGeneration",
				 generation, "conditions", "type", "Clamped", "reason",
				 "WithinLimits", "type", "Programmed", "reason", reason);

	assert_non_null(json);
	return json;
}

static bool awaits(const char *before, int generation, const char *after)
{
	json_t *old = before ? status(1, before) : NULL, *new = status(generation, after);
	bool ret = status_awaits_agents(old, new);

	json_decref(old);
	json_decref(new);
	return ret;
}

static void agents_that_had_confirmed_may_be_on_their_way_back(void **state)
{
	(void)state;
	assert_true(awaits("Confirmed", 1, "Disconnected"));
	assert_true(awaits("Confirmed", 1, "Pending"));
	assert_true(awaits("Disconnected", 1, "Pending"));
}

static void what_they_have_said_is_told_at_once(void **state)
{
	(void)state;
	assert_false(awaits("Confirmed", 1, "Confirmed"));
	assert_false(awaits("Confirmed", 1, "Failed"));
}

static void what_has_happened_to_the_policy_is_told_at_once(void **state)
{
	(void)state;
	assert_false(awaits("Confirmed", 1, "Expired"));
	assert_false(awaits("Confirmed", 1, "NoTargets"));
	assert_false(awaits("Confirmed", 1, "Deleting"));
	assert_false(awaits("Confirmed", 2, "Disconnected"));
}

static void a_policy_that_is_not_known_yet_is_told_of_at_once(void **state)
{
	(void)state;
	assert_false(awaits(NULL, 1, "Disconnected"));
	assert_false(awaits("NotStored", 1, "Disconnected"));
	assert_false(awaits("NoTargets", 1, "Pending"));
	assert_false(status_awaits_agents(NULL, NULL));
}

/* --- as time goes by --- */

#define SECOND NSEC_PER_SEC

/* A policy whose agents do what `reason_at` says: how often its status changes in an hour. */
static int told_in_an_hour(const char *first, const char *(*reason_at)(int64_t now_ns),
			   const char **ret_last)
{
	const char *last = first;
	int64_t behind_ns = 0;
	int told = 0;

	for (int64_t now_ns = SECOND; now_ns < 3600 * SECOND; now_ns += SECOND / 10) {
		json_t *before = status(1, last), *after = status(1, reason_at(now_ns));

		if (!status_early_until(before, after, 0, now_ns, &behind_ns) &&
		    strcmp(last, reason_at(now_ns)) != 0) {
			last = reason_at(now_ns);
			told++;
		}
		json_decref(before);
		json_decref(after);
	}
	*ret_last = last;
	return told;
}

/* It is connected for three seconds of every ten. */
static const char *silent(int64_t now_ns)
{
	return now_ns % (10 * SECOND) < 3 * SECOND ? "Pending" : "Disconnected";
}

/* A node whose pods come and go. */
static const char *busy(int64_t now_ns)
{
	return now_ns % (5 * SECOND) < SECOND ? "Pending" : "Confirmed";
}

static const char *slow(int64_t now_ns)
{
	return now_ns < 1000 * SECOND ? "Disconnected" : "Pending";
}

static void an_agent_that_says_nothing_and_comes_back_is_disconnected(void **state)
{
	const char *last;

	(void)state;
	assert_int_equal(told_in_an_hour("Disconnected", silent, &last), 0);
	assert_in_range(told_in_an_hour("Confirmed", silent, &last), 1, 2);
	assert_string_equal(last, "Disconnected");
	assert_in_range(told_in_an_hour("Pending", silent, &last), 1, 1);
	assert_string_equal(last, "Disconnected");
}

static void plans_that_change_flip_nothing(void **state)
{
	const char *last;

	(void)state;
	assert_int_equal(told_in_an_hour("Confirmed", busy, &last), 0);
}

static void an_agent_that_is_there_and_slow_is_told_of(void **state)
{
	const char *last;

	(void)state;
	assert_int_equal(told_in_an_hour("Disconnected", slow, &last), 1);
	assert_string_equal(last, "Pending");
}

static void after_a_start_nothing_is_told_of_agents_for_a_while(void **state)
{
	json_t *before = status(1, "Confirmed"), *after = status(1, "Disconnected");
	int64_t behind_ns = 0;

	(void)state;
	assert_int_equal(status_early_until(before, after, 10 * SECOND, SECOND, &behind_ns),
			 10 * SECOND);
	assert_int_equal(status_early_until(after, after, 10 * SECOND, SECOND, &behind_ns),
			 10 * SECOND);
	assert_int_equal(status_early_until(after, after, 10 * SECOND, 10 * SECOND, &behind_ns), 0);
	json_decref(before);
	json_decref(after);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(agents_that_had_confirmed_may_be_on_their_way_back),
		cmocka_unit_test(what_they_have_said_is_told_at_once),
		cmocka_unit_test(what_has_happened_to_the_policy_is_told_at_once),
		cmocka_unit_test(a_policy_that_is_not_known_yet_is_told_of_at_once),
		cmocka_unit_test(an_agent_that_says_nothing_and_comes_back_is_disconnected),
		cmocka_unit_test(plans_that_change_flip_nothing),
		cmocka_unit_test(an_agent_that_is_there_and_slow_is_told_of),
		cmocka_unit_test(after_a_start_nothing_is_told_of_agents_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
