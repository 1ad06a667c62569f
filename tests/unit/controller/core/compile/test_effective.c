/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/core/compile/effective.h"
#include "tests/unit/controller/world.h"

#define MAX_POLICIES 8

struct given {
	const char *name, *created, *spec;
};

/* A world of some policies of namespace "a" and cluster policies, all boosts active. */
struct fixture {
	struct object *policy[MAX_POLICIES];
	struct boost_clock clock[MAX_POLICIES];
	size_t policy_nr;
	struct object *cluster[MAX_POLICIES];
	size_t cluster_nr;
	struct share share;
	struct ranked ranked;
	struct cluster_scope scope;
};

static struct object *make(const char *kind, const char *ns, const struct given *given)
{
	json_t *meta = json_pack("{s:s, s:s}", "name", given->name, "creationTimestamp",
				 given->created ? given->created : "2026-01-01T00:00:00Z");

	if (ns)
		set(meta, "namespace", json_string(ns));
	return world_object(json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", PROFILING_API_VERSION,
				      "kind", kind, "metadata", meta, "spec",
				      json_loads(given->spec, 0, NULL)));
}

static void give(struct fixture *f, const struct given *policy, const struct given *cluster)
{
	struct instant now = { .boot_ns = 0 };

	*f = (struct fixture){ 0 };
	for (; policy && policy->name; policy++) {
		struct object *object = make("ProfilingPolicy", "a", policy);

		clock_start(&f->clock[f->policy_nr], object->generation, object->policy.duration_ns,
			    &now);
		f->clock[f->policy_nr].durable = true;
		f->policy[f->policy_nr++] = object;
	}
	for (; cluster && cluster->name; cluster++)
		f->cluster[f->cluster_nr++] = make("ClusterProfilingPolicy", NULL, cluster);
	f->share = (struct share){ .in = { f->policy, f->policy_nr }, .clock = f->clock };
	ranked_init_policies(&f->ranked, &f->share, INT64_MAX, 0);
	cluster_scope_init(&f->scope, f->cluster, f->cluster_nr, NULL, NULL);
}

static void release(struct fixture *f)
{
	ranked_release(&f->ranked);
	cluster_scope_release(&f->scope);
	for (size_t i = 0; i < f->policy_nr; i++)
		object_free(f->policy[i]);
	for (size_t i = 0; i < f->cluster_nr; i++)
		object_free(f->cluster[i]);
}

static const char *name_of(const struct object *object)
{
	return object ? object->name : "";
}

/* The rate, who decided it and whose limit lowered it. */
static void check_rate(const struct given *policy, const struct given *cluster, uint32_t rate_hz,
		       const char *by, const char *clamped_by)
{
	struct effective e;
	struct fixture f;

	give(&f, policy, cluster);
	effective(&f.ranked, &f.scope, &e);
	assert_int_equal(e.setting.rate_hz, rate_hz);
	assert_string_equal(name_of(e.rate_by), by);
	assert_string_equal(name_of(e.rate_clamped_by), clamped_by);
	release(&f);
}

static void check_caps(const struct given *policy, const struct given *cluster, uint32_t caps)
{
	struct effective e;
	struct fixture f;

	give(&f, policy, cluster);
	effective(&f.ranked, &f.scope, &e);
	assert_int_equal(e.setting.caps, caps);
	release(&f);
}

#define LIMITS(hz) "{\"limits\": {\"maxSampleRateHz\": " #hz "}}"
#define GIVEN(...) ((const struct given[]){ __VA_ARGS__, { 0 } })
#define P(name, spec)                                                                              \
	{                                                                                          \
		name, NULL, spec                                                                   \
	}
#define BOOST(name, hz)                                                                            \
	{                                                                                          \
		name, NULL, "{\"sampleRateHz\": " hz ", \"duration\": \"1m\"}"                     \
	}
#define STEADY(name, hz)                                                                           \
	{                                                                                          \
		name, NULL, "{\"sampleRateHz\": " hz "}"                                           \
	}

static void with_no_policy_the_built_in_default_holds(void **state)
{
	(void)state;
	check_rate(NULL, NULL, RATE_HZ_DEFAULT, "", "");
	check_caps(NULL, NULL, CAPS_DEFAULT);
}

static void the_highest_boost_wins_over_everything_continuous(void **state)
{
	(void)state;
	check_rate(GIVEN(BOOST("low", "50"), BOOST("high", "99"), STEADY("steady", "150")), NULL,
		   99, "high", "");
	check_rate(GIVEN(BOOST("quiet", "0"), STEADY("steady", "20")), NULL, 0, "quiet", "");
}

static void of_continuous_policies_one_that_selects_wins_then_the_oldest_then_the_name(void **state)
{
	(void)state;
	check_rate(
		GIVEN(STEADY("a", "10"),
		      P("z",
			"{\"sampleRateHz\": 30, \"selector\": {\"matchLabels\": {\"a\": \"\"}}}")),
		NULL, 30, "z", "");
	check_rate(
		GIVEN(STEADY("a", "10"), { "z", "2025-01-01T00:00:00Z", "{\"sampleRateHz\": 30}" }),
		NULL, 30, "z", "");
	check_rate(GIVEN(STEADY("b", "10"), STEADY("a", "30")), NULL, 30, "a", "");
	check_rate(GIVEN(STEADY("a", "10"), P("z", "{\"sampleRateHz\": 30, \"selector\": {}}")),
		   NULL, 10, "a", "");
}

static void fields_are_decided_apart(void **state)
{
	const struct given *both =
		GIVEN(P("a", "{\"capabilities\": {\"drop\": [\"kernel\"]}}"), STEADY("b", "30"));

	(void)state;
	check_rate(both, NULL, 30, "b", "");
	check_caps(both, NULL, CAPS_DEFAULT & ~(uint32_t)CAP_KERNEL);
}

static void a_boost_of_capabilities_leaves_the_rate_continuous(void **state)
{
	const struct given *both =
		GIVEN(P("a", "{\"capabilities\": {\"drop\": [\"kernel\"]}, \"duration\": \"1m\"}"),
		      STEADY("b", "100"));

	(void)state;
	check_rate(both, GIVEN(P("c", "{\"limits\": {\"maxContinuousSampleRateHz\": 49}}")), 49,
		   "b", "c");
}

static void what_any_boost_drops_no_other_adds(void **state)
{
	(void)state;
	check_caps(
		GIVEN(P("a", "{\"capabilities\": {\"add\": [\"kernel\"]}, \"duration\": \"1m\"}"),
		      P("b", "{\"capabilities\": {\"drop\": [\"kernel\"]}, \"duration\": \"1m\"}"),
		      P("c", "{\"capabilities\": {\"add\": [\"native\"]}, \"duration\": \"1m\"}")),
		GIVEN(P("d", "{\"defaults\": {\"capabilities\": [\"cpu\"]}}")),
		CAP_CPU_SAMPLING | CAP_NATIVE);
}

static void what_the_continuous_policy_drops_no_boost_adds(void **state)
{
	const struct given drop = P("a", "{\"capabilities\": {\"drop\": [\"native\"]}}");
	const struct given boost =
		P("b",
		  "{\"capabilities\": {\"add\": [\"native\", \"kernel\"]}, \"duration\": \"1m\"}");

	(void)state;
	check_caps(GIVEN(drop, boost), NULL, CAP_CPU_SAMPLING | CAP_KERNEL);
	check_caps(GIVEN(drop, boost),
		   GIVEN(P("d", "{\"defaults\": {\"capabilities\": [\"cpu\"]}}")),
		   CAP_CPU_SAMPLING | CAP_KERNEL);
}

static void of_continuous_policies_only_the_first_is_heard(void **state)
{
	(void)state;
	check_caps(GIVEN(P("a", "{\"capabilities\": {\"add\": [\"kernel\"]}}"),
			 P("b", "{\"capabilities\": {\"drop\": [\"kernel\", \"native\"]}}")),
		   NULL, CAPS_DEFAULT);
}

static void without_cpu_the_rate_is_0(void **state)
{
	const struct given drop = P("a", "{\"capabilities\": {\"drop\": [\"cpu\"]}}");
	const struct given none = P("d", "{\"defaults\": {\"capabilities\": [\"kernel\"]}}");

	(void)state;
	check_rate(GIVEN(drop), NULL, 0, "", "");
	check_rate(GIVEN(drop, BOOST("b", "100")), GIVEN(P("c", LIMITS(50))), 0, "b", "");
	check_rate(NULL, GIVEN(none), 0, "", "");
	check_rate(GIVEN(P("a", "{\"capabilities\": {\"add\": [\"cpu\"]}}")), GIVEN(none), 19, "",
		   "");
}

static void a_limit_that_takes_cpu_takes_the_rate(void **state)
{
	const struct given *limits =
		GIVEN(P("c", LIMITS(50)), P("d", "{\"limits\": {\"allowedCapabilities\": []}}"));

	(void)state;
	check_rate(GIVEN(BOOST("b", "100")), limits, 0, "b", "d");
	check_rate(GIVEN(BOOST("b", "0")), limits, 0, "b", "");
}

/* Who of a class has a part, and who decided in place of `loser`; "" = it has a part. */
static void check_winner(const struct given *policy, const char *loser, const char *winner)
{
	struct effective e;
	struct fixture f;

	give(&f, policy, NULL);
	effective(&f.ranked, &f.scope, &e);
	for (size_t i = 0; i < f.policy_nr; i++) {
		if (strcmp(f.policy[i]->name, loser) != 0)
			continue;
		assert_int_equal(effective_has_part(&e, f.policy[i]), !*winner);
		if (*winner)
			assert_string_equal(name_of(effective_winner(&e, &f.ranked, f.policy[i])),
					    winner);
	}
	release(&f);
}

static void a_policy_without_effect_names_the_one_that_decides(void **state)
{
	const struct given adds =
		P("a", "{\"capabilities\": {\"add\": [\"native\"]}, \"duration\": \"1m\"}");
	const struct given drops = P("b", "{\"capabilities\": {\"drop\": [\"native\"]}}");
	const struct given silent =
		P("c", "{\"sampleRateHz\": 40, \"capabilities\": {\"drop\": [\"cpu\"]}}");

	(void)state;
	check_winner(GIVEN(adds), "a", "");
	check_winner(GIVEN(adds, drops), "a", "b");
	check_winner(GIVEN(adds, drops), "b", "");
	check_winner(GIVEN(silent), "c", "");
	check_winner(GIVEN(silent, BOOST("d", "100")), "d", "c");
	check_winner(GIVEN(drops, silent), "c", "");
	check_winner(GIVEN(STEADY("e", "40"), BOOST("d", "100")), "e", "d");
}

static void defaults_of_a_narrower_cluster_policy_win(void **state)
{
	const char *narrow =
		"{\"nodeSelector\": {\"matchExpressions\": [{\"key\": \"x\","
		"\"operator\": \"DoesNotExist\"}]}, \"defaults\": {\"sampleRateHz\": 7}}";

	(void)state;
	check_rate(NULL, GIVEN(P("a", "{\"defaults\": {\"sampleRateHz\": 5}}"), P("z", narrow)), 7,
		   "z", "");
	check_rate(GIVEN(STEADY("p", "0")), GIVEN(P("a", "{\"defaults\": {\"sampleRateHz\": 5}}")),
		   0, "p", "");
}

static void the_strictest_limit_of_all_clamps(void **state)
{
	const struct given *limits =
		GIVEN(P("a", "{\"limits\": {\"maxSampleRateHz\": 90}}"),
		      P("b", "{\"limits\": {\"maxSampleRateHz\": 80,"
			     "\"maxContinuousSampleRateHz\": 49}}"),
		      P("c", "{\"limits\": {\"allowedCapabilities\": [\"cpu\"]}}"));

	(void)state;
	check_rate(GIVEN(BOOST("p", "100")), limits, 80, "p", "b");
	check_rate(GIVEN(STEADY("p", "100")), limits, 49, "p", "b");
	check_rate(GIVEN(STEADY("p", "40")), limits, 40, "p", "");
	check_caps(NULL, limits, CAP_CPU_SAMPLING);
}

static void the_strictest_duration_counts(void **state)
{
	const struct object *by = NULL;
	struct fixture f;

	(void)state;
	give(&f, NULL,
	     GIVEN(P("a", "{\"limits\": {\"maxDuration\": \"1h\"}}"),
		   P("b", "{\"limits\": {\"maxDuration\": \"10m\"}}"),
		   P("c", "{\"limits\": {\"maxSampleRateHz\": 10}}")));
	assert_int_equal(effective_max_duration(&f.scope.limits, &by), 600 * NSEC_PER_SEC);
	assert_string_equal(by->name, "b");
	release(&f);
	give(&f, NULL, NULL);
	assert_int_equal(effective_max_duration(&f.scope.limits, NULL), INT64_MAX);
	release(&f);
}

static void a_policy_with_containers_does_not_speak_for_the_rest_of_the_pod(void **state)
{
	struct object *o = world_object_text(
		"{\"apiVersion\": \"profiling.rubato.dev/v1alpha1\", \"kind\": \"ProfilingPolicy\","
		"\"metadata\": {\"name\": \"p\", \"namespace\": \"a\"},"
		"\"spec\": {\"sampleRateHz\": 1, \"containers\": [\"app\"]}}");
	struct object pod = { .kind = OBJECT_POD };

	(void)state;
	assert_true(policy_matches(&o->policy, &pod, "app"));
	assert_false(policy_matches(&o->policy, &pod, "side"));
	assert_false(policy_matches(&o->policy, &pod, NULL));
	object_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_no_policy_the_built_in_default_holds),
		cmocka_unit_test(the_highest_boost_wins_over_everything_continuous),
		cmocka_unit_test(
			of_continuous_policies_one_that_selects_wins_then_the_oldest_then_the_name),
		cmocka_unit_test(fields_are_decided_apart),
		cmocka_unit_test(a_boost_of_capabilities_leaves_the_rate_continuous),
		cmocka_unit_test(what_any_boost_drops_no_other_adds),
		cmocka_unit_test(what_the_continuous_policy_drops_no_boost_adds),
		cmocka_unit_test(of_continuous_policies_only_the_first_is_heard),
		cmocka_unit_test(without_cpu_the_rate_is_0),
		cmocka_unit_test(a_limit_that_takes_cpu_takes_the_rate),
		cmocka_unit_test(a_policy_without_effect_names_the_one_that_decides),
		cmocka_unit_test(defaults_of_a_narrower_cluster_policy_win),
		cmocka_unit_test(the_strictest_limit_of_all_clamps),
		cmocka_unit_test(the_strictest_duration_counts),
		cmocka_unit_test(a_policy_with_containers_does_not_speak_for_the_rest_of_the_pod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
