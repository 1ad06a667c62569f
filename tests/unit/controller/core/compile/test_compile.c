/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/core/compile/compile.h"
#include "controller/core/session/lane.h"
#include "tests/unit/controller/world.h"

#define SECOND NSEC_PER_SEC

struct fixture {
	struct store *store;
	struct compiler *compiler;
	struct compile_result result; /* of n1, as last compiled */
};

static void give_at(struct fixture *f, const char *text, int64_t now_ns)
{
	world_apply(f->store, f->compiler, world_object_text(text), now_ns);
}

static void give_pod(struct fixture *f, const char *ns, const char *name, const char *labels)
{
	cleanup(freep) char *text = xasprintf(
		"{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"%s\","
		"\"namespace\": \"%s\", \"uid\": \"uid-%s\", \"labels\": %s},"
		"\"spec\": {\"nodeName\": \"n1\", \"containers\": [{\"name\": \"app\"},"
		"{\"name\": \"side\"}]}}",
		name, ns, name, labels);

	give_at(f, text, 0);
}

static void give_policy(struct fixture *f, const char *name, const char *spec, int64_t now_ns)
{
	cleanup(freep) char *text = xasprintf(
		"{\"apiVersion\": \"profiling.rubato.dev/v1alpha1\", \"kind\": \"ProfilingPolicy\","
		"\"metadata\": {\"name\": \"%s\", \"namespace\": \"a\"}, \"spec\": %s}",
		name, spec);

	give_at(f, text, now_ns);
}

static void compile(struct fixture *f, int64_t now_ns)
{
	plan_release(&f->result.plan);
	compiler_advance(f->compiler, now_ns);
	compiler_compile(f->compiler, f->store, "n1", now_ns, &f->result);
}

/* Pods x (app=x) and y (app=y) of namespace a and z of b, compiled once. */
static void begin(struct fixture *f)
{
	*f = (struct fixture){ .store = store_new(), .compiler = compiler_new(NULL) };
	give_pod(f, "a", "x", "{\"app\": \"x\"}");
	give_pod(f, "a", "y", "{\"app\": \"y\"}");
	give_pod(f, "b", "z", "{}");
	compile(f, 0);
}

static void end(struct fixture *f)
{
	plan_release(&f->result.plan);
	compiler_free(f->compiler);
	store_free(f->store);
}

static const struct plan_class *class_of(const struct fixture *f, const char *uid)
{
	const struct plan_target *target = plan_find_target(&f->result.plan, uid);

	assert_non_null(target);
	return plan_find_class(&f->result.plan, target->class_id);
}

static void a_boost_raises_its_namespace_and_carries_its_own_end(void **state)
{
	const struct plan_class *cls;
	struct fixture f;

	(void)state;
	begin(&f);
	give_policy(&f, "boost", "{\"sampleRateHz\": 100, \"duration\": \"60s\"}", SECOND);
	compile(&f, SECOND);
	cls = plan_find_class(&f.result.plan, "a");
	assert_int_equal(cls->step_nr, 2);
	assert_int_equal(cls->step[0].rate_hz, 100);
	assert_int_equal(cls->step[0].boost_nr, 1);
	assert_int_equal(cls->step[1].rate_hz, RATE_HZ_DEFAULT);
	assert_int_equal(cls->step[1].boost_nr, 0);
	assert_string_equal(f.result.plan.boost[0].id, cls->step[0].boost[0]);
	assert_int_equal(f.result.plan.boost[0].expires_ns, 61 * SECOND);
	assert_int_equal(compiler_next_end(f.compiler), 61 * SECOND);
	assert_int_equal(plan_find_class(&f.result.plan, "b")->step_nr, 1);
	assert_int_equal(f.result.lane, HUB_LANE_NOW);
	compile(&f, 61 * SECOND);
	assert_int_equal(plan_find_class(&f.result.plan, "a")->step[0].rate_hz, RATE_HZ_DEFAULT);
	assert_int_equal(f.result.plan.boost_nr, 0);
	end(&f);
}

static void a_rate_edit_changes_a_class_and_no_target(void **state)
{
	struct fixture f;
	struct plan before, rows;

	(void)state;
	begin(&f);
	give_policy(&f, "p",
		    "{\"sampleRateHz\": 20, \"selector\": {\"matchLabels\": {\"app\": \"x\"}}}", 0);
	compile(&f, 0);
	plan_copy(&before, &f.result.plan);
	give_policy(&f, "p",
		    "{\"sampleRateHz\": 30, \"selector\": {\"matchLabels\": {\"app\": \"x\"}}}", 0);
	compile(&f, 0);
	assert_int_equal(f.result.lane, HUB_LANE_EDIT);
	assert_int_equal(class_of(&f, "uid-x")->step[0].rate_hz, 30);
	assert_int_equal(class_of(&f, "uid-y")->step[0].rate_hz, RATE_HZ_DEFAULT);
	rows = f.result.plan;
	rows.cls = before.cls;
	rows.cls_nr = before.cls_nr;
	assert_true(plan_equal(&rows, &before));
	assert_false(plan_equal(&f.result.plan, &before));
	plan_release(&before);
	end(&f);
}

static void lowering_goes_out_at_once_and_a_new_pod_may_wait(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	give_policy(&f, "p", "{\"sampleRateHz\": 5}", 0);
	compile(&f, 0);
	assert_int_equal(f.result.lane, HUB_LANE_NOW);
	give_pod(&f, "a", "w", "{}");
	compile(&f, 0);
	assert_int_equal(f.result.lane, HUB_LANE_CHURN);
	end(&f);
}

static void a_container_has_a_class_of_its_own_only_where_it_differs(void **state)
{
	const struct plan_target *target;
	struct fixture f;

	(void)state;
	begin(&f);
	give_policy(&f, "p", "{\"sampleRateHz\": 5, \"containers\": [\"side\"]}", 0);
	compile(&f, 0);
	target = plan_find_target(&f.result.plan, "uid-x");
	assert_string_equal(target->class_id, "a");
	assert_null(target->container[0].class_id);
	assert_non_null(target->container[1].class_id);
	assert_int_equal(
		plan_find_class(&f.result.plan, target->container[1].class_id)->step[0].rate_hz, 5);
	end(&f);
}

static void a_boost_that_changes_nothing_is_not_named(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	give_policy(&f, "low", "{\"sampleRateHz\": 50, \"duration\": \"30s\"}", 0);
	give_policy(&f, "high", "{\"sampleRateHz\": 90, \"duration\": \"60s\"}", 0);
	compile(&f, SECOND);
	assert_int_equal(plan_find_class(&f.result.plan, "a")->step_nr, 2);
	assert_int_equal(f.result.plan.boost_nr, 1);
	end(&f);
}

static void a_limit_of_duration_ends_a_boost_early(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	give_policy(&f, "p", "{\"sampleRateHz\": 50, \"duration\": \"60s\"}", 0);
	give_at(&f,
		"{\"apiVersion\": \"profiling.rubato.dev/v1alpha1\","
		"\"kind\": \"ClusterProfilingPolicy\", \"metadata\": {\"name\": \"c\"},"
		"\"spec\": {\"limits\": {\"maxDuration\": \"20s\"}}}",
		0);
	compile(&f, SECOND);
	assert_int_equal(f.result.plan.boost[0].expires_ns, 20 * SECOND);
	end(&f);
}

static void more_boosts_than_steps_end_early_and_never_late(void **state)
{
	const struct plan_class *cls;
	struct fixture f;

	(void)state;
	begin(&f);
	for (int i = 0; i < 30; i++) {
		cleanup(freep) char *name = xasprintf("p%02d", i);
		cleanup(freep) char *spec =
			xasprintf("{\"sampleRateHz\": %d, \"duration\": \"%ds\"}", 150 - i, 20 + i);

		give_policy(&f, name, spec, 0);
	}
	compile(&f, SECOND);
	cls = plan_find_class(&f.result.plan, "a");
	assert_int_equal(cls->step_nr, LIMIT_PLAN_STEPS);
	assert_int_equal(cls->step[0].rate_hz, 150);
	assert_int_equal(cls->step[LIMIT_PLAN_STEPS - 1].boost_nr, 0);
	assert_int_equal(cls->step[LIMIT_PLAN_STEPS - 1].rate_hz, RATE_HZ_DEFAULT);
	end(&f);
}

static void a_summary_counts_over_nodes_and_names_the_winner(void **state)
{
	struct policy_summary summary;
	struct policy_node at;
	struct fixture f;
	size_t pos = 0;

	(void)state;
	begin(&f);
	give_policy(&f, "low", "{\"sampleRateHz\": 50, \"duration\": \"30s\"}", 0);
	give_policy(&f, "high", "{\"sampleRateHz\": 90, \"duration\": \"60s\"}", 0);
	compile(&f, SECOND);
	compiler_summary(f.compiler, "a", "low", &summary);
	assert_int_equal(summary.pods, 2);
	assert_int_equal(summary.nodes, 1);
	assert_int_equal(summary.rate_hz, 90);
	assert_true(summary.in_force);
	assert_false(summary.has_part);
	assert_string_equal(summary.winner, "high");
	assert_true(compiler_policy_node(f.compiler, "a", "low", &pos, &at));
	assert_string_equal(at.node, "n1");
	assert_false(compiler_policy_node(f.compiler, "a", "low", &pos, &at));
	end(&f);
}

/* The plan that an agent must have confirmed for policy a/boost. */
static uint64_t seq_of_boost(const struct fixture *f)
{
	struct policy_node at;
	size_t pos = 0;

	assert_true(compiler_policy_node(f->compiler, "a", "boost", &pos, &at));
	return at.seq;
}

static void what_an_agent_must_confirm_is_what_changed_the_policys_namespace(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	give_policy(&f, "boost", "{\"sampleRateHz\": 100, \"duration\": \"60s\"}", 0);
	compile(&f, SECOND);
	compiler_sent(f.compiler, "n1", 5);
	assert_int_equal(seq_of_boost(&f), 5);
	give_pod(&f, "b", "new", "{}");
	compile(&f, SECOND);
	compiler_sent(f.compiler, "n1", 6);
	assert_int_equal(seq_of_boost(&f), 5);
	give_pod(&f, "a", "new", "{}");
	compile(&f, SECOND);
	compiler_sent(f.compiler, "n1", 7);
	assert_int_equal(seq_of_boost(&f), 7);
	compile(&f, 61 * SECOND);
	compiler_sent(f.compiler, "n1", 8);
	assert_int_equal(seq_of_boost(&f), 8);
	end(&f);
}

static void pods_beyond_the_plan_are_those_of_the_namespace_that_has_most(void **state)
{
	size_t own = 0;
	struct fixture f;

	(void)state;
	begin(&f);
	for (int i = 0; i < LIMIT_PLAN_TARGETS; i++) {
		cleanup(freep) char *name = xasprintf("q%04d", i);

		give_pod(&f, "c", name, "{}");
	}
	compile(&f, 0);
	assert_int_equal(f.result.left_out, 3);
	assert_int_equal(f.result.plan.target_nr, LIMIT_PLAN_TARGETS);
	for (size_t i = 0; i < f.result.plan.target_nr; i++)
		own += strcmp(f.result.plan.target[i].ns, "c") != 0;
	assert_int_equal(own, 3);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_boost_raises_its_namespace_and_carries_its_own_end),
		cmocka_unit_test(a_rate_edit_changes_a_class_and_no_target),
		cmocka_unit_test(lowering_goes_out_at_once_and_a_new_pod_may_wait),
		cmocka_unit_test(a_container_has_a_class_of_its_own_only_where_it_differs),
		cmocka_unit_test(a_boost_that_changes_nothing_is_not_named),
		cmocka_unit_test(a_limit_of_duration_ends_a_boost_early),
		cmocka_unit_test(more_boosts_than_steps_end_early_and_never_late),
		cmocka_unit_test(a_summary_counts_over_nodes_and_names_the_winner),
		cmocka_unit_test(what_an_agent_must_confirm_is_what_changed_the_policys_namespace),
		cmocka_unit_test(pods_beyond_the_plan_are_those_of_the_namespace_that_has_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
