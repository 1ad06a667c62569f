/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(agents_that_had_confirmed_may_be_on_their_way_back),
		cmocka_unit_test(what_they_have_said_is_told_at_once),
		cmocka_unit_test(what_has_happened_to_the_policy_is_told_at_once),
		cmocka_unit_test(a_policy_that_is_not_known_yet_is_told_of_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
