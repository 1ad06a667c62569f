/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/core/store/store.h"
#include "tests/unit/controller/world.h"

static struct object *pod(const char *ns, const char *name, const char *node, const char *phase)
{
	json_t *spec = json_object();

	if (node)
		set(spec, "nodeName", json_string(node));
	return world_object(json_pack("{s:s, s:s, s:{s:s, s:s}, s:o, s:{s:s}}", "apiVersion", "v1",
				      "kind", "Pod", "metadata", "name", name, "namespace", ns,
				      "spec", spec, "status", "phase", phase));
}

static struct object *policy(const char *name, int generation, const char *label)
{
	return world_object(json_pack("{s:s, s:s, s:{s:s, s:s, s:i, s:{s:s}}, s:{s:i, s:s}}",
				      "apiVersion", PROFILING_API_VERSION, "kind",
				      "ProfilingPolicy", "metadata", "name", name, "namespace", "a",
				      "generation", generation, "labels", "l", label, "spec",
				      "sampleRateHz", 50, "duration", "1m"));
}

static struct object *cluster_scoped(const char *kind, const char *name, const char *label)
{
	return world_object(json_pack("{s:s, s:s, s:{s:s, s:{s:s}}}", "apiVersion", "v1", "kind",
				      kind, "metadata", "name", name, "labels", "l", label));
}

static void check(struct touch touch, enum touch_scope scope, const char *ns, const char *node,
		  const char *old_node)
{
	assert_int_equal(touch.scope, scope);
	if (ns)
		assert_string_equal(touch.ns, ns);
	if (node)
		assert_string_equal(touch.node, node);
	if (old_node)
		assert_string_equal(touch.old_node, old_node);
	else
		assert_null(touch.old_node);
}

static void a_pod_touches_its_namespace_on_its_nodes(void **state)
{
	struct store *s = store_new();

	(void)state;
	check(store_apply(s, pod("a", "p", NULL, "Pending")), TOUCH_NOTHING, NULL, NULL, NULL);
	check(store_apply(s, pod("a", "p", "n1", "Running")), TOUCH_PODS, "a", "n1", NULL);
	check(store_apply(s, pod("a", "p", "n1", "Running")), TOUCH_NOTHING, NULL, NULL, NULL);
	check(store_apply(s, pod("a", "p", "n2", "Running")), TOUCH_PODS, "a", "n2", "n1");
	check(store_apply(s, pod("a", "p", "n2", "Failed")), TOUCH_PODS, "a", "n2", NULL);
	check(store_delete(s, OBJECT_POD, "a", "p"), TOUCH_PODS, "a", "n2", NULL);
	check(store_delete(s, OBJECT_POD, "a", "p"), TOUCH_NOTHING, NULL, NULL, NULL);
	assert_int_equal(store_ns_nr(s), 0);
	assert_int_equal(store_node_nr(s), 0);
	store_free(s);
}

static void policies_and_labels_touch_what_they_reach(void **state)
{
	struct store *s = store_new();

	(void)state;
	check(store_apply(s, policy("p", 1, "x")), TOUCH_NS, "a", NULL, NULL);
	check(store_apply(s, policy("p", 1, "y")), TOUCH_NOTHING, NULL, NULL, NULL);
	check(store_apply(s, policy("p", 2, "y")), TOUCH_NS, "a", NULL, NULL);
	check(store_apply(s, cluster_scoped("Namespace", "b", "x")), TOUCH_NS, "b", NULL, NULL);
	check(store_apply(s, cluster_scoped("Namespace", "b", "x")), TOUCH_NOTHING, NULL, NULL,
	      NULL);
	check(store_apply(s, cluster_scoped("Node", "n", "x")), TOUCH_NODE, NULL, "n", NULL);
	check(store_apply(s, cluster_scoped("Node", "n", "y")), TOUCH_NODE, NULL, "n", NULL);
	check(store_delete(s, OBJECT_NODE, "", "n"), TOUCH_NODE, NULL, "n", NULL);
	check(store_delete(s, OBJECT_POLICY, "a", "p"), TOUCH_NS, "a", NULL, NULL);
	store_free(s);
}

static void a_boost_keeps_its_clock_until_its_generation_changes(void **state)
{
	struct boost_clock clock = { .generation = 1, .end_ns = 7, .durable = true };
	struct store *s = store_new();

	(void)state;
	store_apply(s, policy("p", 1, "x"));
	check(store_set_clock(s, "a", "p", &clock), TOUCH_NS, "a", NULL, NULL);
	store_apply(s, policy("p", 1, "y"));
	assert_int_equal(store_clock(s, "a", "p")->end_ns, 7);
	store_apply(s, policy("p", 2, "y"));
	assert_int_equal(store_clock(s, "a", "p")->generation, 0);
	store_free(s);
}

static void lists_are_in_order_whatever_came_first(void **state)
{
	struct store *s = store_new();
	struct object_list pods;

	(void)state;
	store_apply(s, pod("b", "q", "n1", "Running"));
	store_apply(s, pod("a", "z", "n1", "Running"));
	store_apply(s, pod("a", "c", "n1", "Running"));
	store_apply(s, pod("a", "d", "n2", "Running"));
	pods = store_pods_on_node(s, "n1");
	assert_int_equal(pods.nr, 3);
	assert_string_equal(pods.object[0]->name, "c");
	assert_string_equal(pods.object[1]->name, "z");
	assert_string_equal(pods.object[2]->name, "q");
	assert_int_equal(store_pods_of_ns(s, "a").nr, 3);
	assert_int_equal(store_node_nr(s), 2);
	assert_string_equal(store_ns_name(s, 1), "b");
	store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pod_touches_its_namespace_on_its_nodes),
		cmocka_unit_test(policies_and_labels_touch_what_they_reach),
		cmocka_unit_test(a_boost_keeps_its_clock_until_its_generation_changes),
		cmocka_unit_test(lists_are_in_order_whatever_came_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
