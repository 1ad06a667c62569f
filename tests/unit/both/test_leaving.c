/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/both/channel.h"

/* Nodes that are no more. */

/* Both ends up and in session. */
static void join(void)
{
	int port = rig_start_hub_at(&rig, 0);

	assert_true(port > 0);
	assert_int_equal(rig_start_client(&rig, port), 0);
	assert_true(rig_until(&rig, rig_is_connected, 3000));
}

/* Wanted and confirmed. */
static void settle(struct plan plan)
{
	rig_want(&rig, plan);
	assert_true(rig_until(&rig, rig_is_applied, 8000));
	rig_wait(&rig, 20); /* the reply to the answer */
}

static bool is_lost(struct rig *r)
{
	return r->losses > 0;
}

static void a_node_that_vanishes_with_its_policy_ends_its_boost(void **state)
{
	struct hub_node node;

	(void)state;
	join();
	settle(rig_boosted(19, 100, 60000));
	assert_int_equal(rig.rate_hz, 100);
	rig_want(&rig, rig_plan(19, 1));
	hub_drop_node(rig.hub, NODE);
	assert_true(rig_until(&rig, is_lost, 5000));
	assert_int_equal(rig.rate_hz, 19);
	assert_false(hub_node_get(rig.hub, NODE, &node));
}

static void a_node_that_is_back_before_its_last_answer_stays(void **state)
{
	(void)state;
	join();
	settle(rig_boosted(19, 100, 60000));
	rig_want(&rig, rig_plan(19, 1));
	hub_drop_node(rig.hub, NODE);
	rig_want(&rig, rig_plan(50, 1));
	assert_true(rig_until(&rig, rig_is_applied, 1000));
	rig_wait(&rig, 50);
	assert_int_equal(rig.rate_hz, 50);
	assert_int_equal(rig.losses, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_node_that_vanishes_with_its_policy_ends_its_boost),
		TEST(a_node_that_is_back_before_its_last_answer_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
