/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/controller/memory_rig.h"

/* What an agent is told of a node that goes. */

#define BOOST "{\"sampleRateHz\": 90, \"duration\": \"10m\"}"

/* "n1:BOOSTS" per plan, "n1:dropped": in order. */
static char told[256];

static void note(const char *node, const char *what)
{
	size_t len = strlen(told);

	snprintf(told + len, sizeof(told) - len, "%s%s:%s", len ? " " : "", node, what);
}

static void set_plan(void *ctx, const char *node, struct plan *plan, enum hub_lane lane)
{
	char what[24];

	(void)ctx;
	(void)lane;
	snprintf(what, sizeof(what), "%zu", plan->boost_nr);
	note(node, what);
}

static void drop_node(void *ctx, const char *node)
{
	(void)ctx;
	note(node, "dropped");
}

static bool node_get(void *ctx, const char *node, struct hub_node *ret_node)
{
	(void)ctx;
	*ret_node = (struct hub_node){ .node = node, .state = HUB_APPLIED, .error = "" };
	return true;
}

static void put(struct rig *rig, json_t *json)
{
	const struct source_sink sink = reconcile_sink(rig->reconcile);
	struct manifest_doc doc = { .has_created = true };
	struct err err = ERR_INIT;

	if (object_from_json(json, &doc.object, &err) < 0)
		abort();
	json_decref(json);
	sink.apply(sink.ctx, &doc);
}

static void take(struct rig *rig, enum object_kind kind, const char *ns, const char *name)
{
	const struct source_sink sink = reconcile_sink(rig->reconcile);

	sink.remove(sink.ctx, kind, ns, name);
}

static void settle(struct rig *rig)
{
	const struct source_sink sink = reconcile_sink(rig->reconcile);

	told[0] = '\0';
	sink.settled(sink.ctx);
	rig_run(rig, 20);
}

/* Node n1 with a pod that is boosted. */
static void begin(struct rig *rig)
{
	static const struct plan_sink plans = {
		.set_plan = set_plan,
		.drop_node = drop_node,
		.node_get = node_get,
	};

	reconcile_set_plan_sink(rig->reconcile, &plans);
	put(rig, json_pack("{ss ss s{ss ss}}", "apiVersion", "v1", "kind", "Node", "metadata",
			   "name", "n1", "uid", "n"));
	put(rig, json_pack("{ss ss s{ss ss ss} s{ss s[{ss}]}}", "apiVersion", "v1", "kind", "Pod",
			   "metadata", "name", "x", "namespace", "payments", "uid", "x", "spec",
			   "nodeName", "n1", "containers", "name", "app"));
	put(rig, rig_policy("u1", 1, BOOST));
	settle(rig);
	assert_string_equal(told, "n1:1");
}

static void a_node_that_goes_with_pods_and_policy_gets_a_plan_without_the_boost(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	take(rig, OBJECT_NODE, "", "n1");
	take(rig, OBJECT_POD, "payments", "x");
	take(rig, OBJECT_POLICY, "payments", "p");
	settle(rig);
	assert_string_equal(told, "n1:0 n1:dropped");
	assert_int_equal(rig_metric(rig, "rubato_controller_boosts_active"), 0);
	settle(rig);
	assert_string_equal(told, "");
}

static void a_node_whose_pods_stay_is_served_on(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	take(rig, OBJECT_NODE, "", "n1");
	take(rig, OBJECT_POLICY, "payments", "p");
	settle(rig);
	assert_string_equal(told, "n1:0");
	take(rig, OBJECT_POD, "payments", "x");
	settle(rig);
	assert_string_equal(told, "n1:0 n1:dropped");
}

static void a_boost_goes_on_elsewhere_when_a_node_goes(void **state)
{
	struct rig *rig = *state;

	begin(rig);
	take(rig, OBJECT_NODE, "", "n1");
	take(rig, OBJECT_POD, "payments", "x");
	settle(rig);
	assert_string_equal(told, "n1:0 n1:dropped");
	assert_int_equal(rig_metric(rig, "rubato_controller_boosts_active"), 1);
	assert_string_equal(
		json_string_value(json_object_get(
			status_find(rig_status_of(rig, "u1")->json, "Programmed"), "reason")),
		"NoTargets");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(a_node_that_goes_with_pods_and_policy_gets_a_plan_without_the_boost),
		T(a_node_whose_pods_stay_is_served_on),
		T(a_boost_goes_on_elsewhere_when_a_node_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
