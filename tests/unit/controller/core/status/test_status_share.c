/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/controller/core/status/status_rig.h"

static void a_policy_beyond_the_share_of_its_namespace_says_what_to_do(void **state)
{
	struct fixture f;
	json_t *status;

	(void)state;
	begin(&f);
	f.input.share = SHARE_BOOSTS;
	f.clock = (struct boost_clock){ 0 };
	check(&f, "Accepted", false, "TooMany");
	check(&f, "Programmed", false, "TooMany");
	check(&f, "Ready", false, "TooMany");
	status = status_build(&f.input);
	assert_string_equal(condition_text(status, "Accepted", "message"),
			    "A namespace may have 32 boosts in force at a time; it has older ones. "
			    "Delete some that are not needed, and this one begins.");
	json_decref(status);
	object_free(f.object);
}

static void what_a_plan_has_no_room_for_is_not_confirmed(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	status_agents_left_out(&f.agents, "n2");
	status_agents_left_out(&f.agents, "n1");
	check(&f, "Programmed", false, "LeftOut");
	assert_string_equal(f.agents.left_out_node, "n1");
	object_free(f.object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_beyond_the_share_of_its_namespace_says_what_to_do),
		cmocka_unit_test(what_a_plan_has_no_room_for_is_not_confirmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
