/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/control/rig.h"

static struct rig rig;

static int setup(void **state)
{
	(void)state;
	rig_init(&rig);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_release(&rig);
	return 0;
}

/* Both ends up and in session; returns the port. */
static int join(void)
{
	int port = rig_start_hub_at(&rig, 0);

	assert_true(port > 0);
	assert_int_equal(rig_start_client(&rig, port), 0);
	assert_true(rig_until(&rig, rig_is_connected, 3000));
	return port;
}

static void a_plan_is_applied_and_confirmed(void **state)
{
	struct hub_node node;
	char hash[PLAN_HASH_HEX];
	struct plan plan = rig_plan(100, 3);

	(void)state;
	plan_hash(&plan, hash);
	join();
	rig_want(&rig, plan);
	assert_int_equal(rig_node_state(&rig), HUB_PENDING);
	assert_true(rig_until(&rig, rig_is_applied, 2000));
	assert_true(hub_node_get(rig.hub, NODE, &node));
	assert_string_equal(node.applied_hash, hash);
	assert_int_equal(node.max_rate_hz, 200);
	assert_false(node.clamped);
	assert_int_equal(rig.applied, 1);
	assert_int_equal(rig.rate_hz, 100);
	assert_int_equal(rig.target_nr, 3);
	assert_string_equal(control_client_node(rig.client), NODE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_plan_is_applied_and_confirmed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
