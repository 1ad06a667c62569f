/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/core/compile/effective.h"
#include "tests/unit/controller/core/compile/worlds.h"

static bool rated_boost(const struct object *object)
{
	return object->kind == OBJECT_POLICY && policy_is_boost(&object->policy) &&
	       object->policy.has_rate;
}

/* Those that drop cpu do, and say so. */
static bool silences(const struct object *object)
{
	return object->policy.drop & CAP_CPU_SAMPLING;
}

static void no_boost_lowers_the_rate_of_another(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		struct random random = { seed };
		struct store *store = random_world(&random);
		const struct share *policies = store_share(store, "a", 20 * SECOND);
		struct object_list cluster = store_cluster_policies(store);
		struct cluster_scope scope;
		struct ranked all, without;
		struct effective with_all, with_one_less;
		size_t rated = 0;

		cluster_scope_init(&scope, cluster.object, cluster.nr, NULL, NULL);
		ranked_init_policies(&all, policies, INT64_MAX, 20 * SECOND);
		for (size_t i = 0; i < all.nr; i++)
			rated += rated_boost(all.item[i].object);
		effective(&all, &scope, &with_all);
		for (size_t i = 0; i < all.nr; i++) {
			if (rated_boost(all.item[i].object)
				    ? rated < 2
				    : !policy_is_boost(&all.item[i].object->policy))
				continue;
			if (silences(all.item[i].object))
				continue;
			ranked_init_policies(&without, policies, INT64_MAX, 20 * SECOND);
			memmove(&without.item[i], &without.item[i + 1],
				(without.nr - i - 1) * sizeof(*without.item));
			without.nr--;
			effective(&without, &scope, &with_one_less);
			assert_true(with_all.setting.rate_hz >= with_one_less.setting.rate_hz);
			ranked_release(&without);
		}
		ranked_release(&all);
		cluster_scope_release(&scope);
		store_free(store);
	}
}

static void assert_below_ceilings(const struct store *store, const char *node,
				  const struct plan_target *target, const struct plan_class *cls)
{
	const struct object *n = store_find(store, OBJECT_NODE, "", node);
	const struct object *ns = store_find(store, OBJECT_NAMESPACE, "", target->ns);
	struct object_list cluster = store_cluster_policies(store);

	for (size_t i = 0; i < cluster.nr; i++) {
		const struct cluster_policy *c = &cluster.object[i]->cluster;

		if (cluster.object[i]->deleting ||
		    !selector_matches(&c->ns_selector, ns ? ns->labels : NULL) ||
		    !selector_matches(&c->node_selector, n ? n->labels : NULL))
			continue;
		for (size_t j = 0; j < cls->step_nr; j++) {
			const struct plan_step *step = &cls->step[j];

			if (c->has_max_rate)
				assert_true(step->rate_hz <= c->max_rate_hz);
			if (c->has_max_continuous && step->boost_nr == 0)
				assert_true(step->rate_hz <= c->max_continuous_hz);
			if (c->has_allowed)
				assert_int_equal(step->caps & ~c->allowed, 0);
		}
	}
}

static void no_setting_is_above_a_ceiling(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		struct random random = { seed };
		struct store *store = random_world(&random);

		for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
			struct plan plan;

			compile(store, nodes[i], 20 * SECOND, &plan);
			for (size_t j = 0; j < plan.target_nr; j++) {
				const struct plan_target *t = &plan.target[j];

				assert_below_ceilings(store, nodes[i], t,
						      plan_find_class(&plan, t->class_id));
				for (size_t k = 0; k < t->container_nr; k++)
					if (t->container[k].class_id)
						assert_below_ceilings(
							store, nodes[i], t,
							plan_find_class(&plan,
									t->container[k].class_id));
			}
			plan_release(&plan);
		}
		store_free(store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_boost_lowers_the_rate_of_another),
		cmocka_unit_test(no_setting_is_above_a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
