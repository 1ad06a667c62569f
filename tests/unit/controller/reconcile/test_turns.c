/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/controller/memory_rig.h"

/* Whose status is looked at first when an agent has news. */

#define STEADY 8
#define FRESH 5

static bool confirmed;

static void set_plan(void *ctx, const char *node, struct plan *plan, enum hub_lane lane)
{
	(void)ctx;
	(void)node;
	(void)lane;
	plan_release(plan);
}

static void drop_node(void *ctx, const char *node)
{
	(void)ctx;
	(void)node;
}

static bool node_get(void *ctx, const char *node, struct hub_node *ret_node)
{
	(void)ctx;
	*ret_node = (struct hub_node){ .node = node,
				       .state = confirmed ? HUB_APPLIED : HUB_PENDING,
				       .error = "",
				       .wanted_seq = 1 };
	return true;
}

static void put(struct rig *rig, json_t *json)
{
	const struct source_sink sink = reconcile_sink(rig->reconcile);
	struct manifest_doc doc = { .object = world_object(json), .has_created = true };

	sink.apply(sink.ctx, &doc);
	sink.settled(sink.ctx);
}

static void put_policy(struct rig *rig, const char *name)
{
	put(rig, json_pack("{ss ss s{ss ss} s{si}}", "apiVersion", PROFILING_API_VERSION, "kind",
			   "ProfilingPolicy", "metadata", "name", name, "namespace", "a", "spec",
			   "sampleRateHz", 40));
}

static void agent_says(struct rig *rig, bool it_has_confirmed)
{
	confirmed = it_has_confirmed;
	reconcile_node_changed(rig->reconcile, "n1");
	rig_run(rig, 30);
}

static void what_waits_to_be_confirmed_goes_before_what_was(void **state)
{
	struct rig *rig = *state;
	static const struct plan_sink plans = {
		.set_plan = set_plan,
		.drop_node = drop_node,
		.node_get = node_get,
	};
	char name[16];

	reconcile_set_plan_sink(rig->reconcile, &plans);
	put(rig, json_pack("{ss ss s{ss}}", "apiVersion", "v1", "kind", "Node", "metadata", "name",
			   "n1"));
	put(rig, json_pack("{ss ss s{ss ss} s{ss s[{ss}]}}", "apiVersion", "v1", "kind", "Pod",
			   "metadata", "name", "x", "namespace", "a", "spec", "nodeName", "n1",
			   "containers", "name", "app"));
	for (int i = 0; i < STEADY; i++) {
		snprintf(name, sizeof(name), "steady-%d", i);
		put_policy(rig, name);
	}
	agent_says(rig, true);
	for (int i = 0; i < FRESH; i++) {
		confirmed = false;
		snprintf(name, sizeof(name), "%c-fresh", "sztay"[i]);
		put_policy(rig, name);
		rig_run(rig, 30);
		rig->put_first[0] = '\0';
		agent_says(rig, true);
		assert_string_equal(rig->put_first, name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_waits_to_be_confirmed_goes_before_what_was,
						rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
