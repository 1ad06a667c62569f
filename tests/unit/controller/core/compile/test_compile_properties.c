/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/controller/core/compile/worlds.h"

static void assert_same_plan(const struct plan *a, const struct plan *b)
{
	char hash_a[PLAN_HASH_HEX], hash_b[PLAN_HASH_HEX];

	assert_true(plan_equal(a, b));
	plan_hash(a, hash_a);
	plan_hash(b, hash_b);
	assert_string_equal(hash_a, hash_b);
	assert_int_equal(a->boost_nr, b->boost_nr);
	for (size_t i = 0; i < a->boost_nr; i++) {
		assert_string_equal(a->boost[i].id, b->boost[i].id);
		assert_int_equal(a->boost[i].expires_ns, b->boost[i].expires_ns);
	}
}

static bool alive(const struct plan *plan, const struct plan_step *step, int64_t now_ns)
{
	for (size_t i = 0; i < step->boost_nr; i++) {
		const struct plan_boost *boost = NULL;

		for (size_t j = 0; j < plan->boost_nr && !boost; j++)
			if (strcmp(plan->boost[j].id, step->boost[i]) == 0)
				boost = &plan->boost[j];
		assert_non_null(boost);
		if (boost->expires_ns <= now_ns)
			return false;
	}
	return true;
}

/* What an agent would do at now_ns for a container (NULL = the rest of the pod) of a target. */
static const struct plan_step *step_of(const struct plan *plan, const struct plan_target *target,
				       const struct plan_container *container, int64_t now_ns)
{
	bool own = container && container->class_id;
	const struct plan_class *cls =
		plan_find_class(plan, own ? container->class_id : target->class_id);

	assert_non_null(cls);
	for (size_t i = 0; i < cls->step_nr; i++)
		if (alive(plan, &cls->step[i], now_ns))
			return &cls->step[i];
	fail_msg("class %s has no step in force", cls->id);
	return NULL;
}

/* The two plans have the same targets, and do the same to each at now_ns. */
static void assert_same_settings(const struct plan *a, const struct plan *b, int64_t now_ns)
{
	assert_int_equal(a->target_nr, b->target_nr);
	for (size_t i = 0; i < a->target_nr; i++) {
		const struct plan_target *s = &a->target[i], *t = &b->target[i];

		assert_string_equal(s->uid, t->uid);
		for (size_t j = 0; j <= s->container_nr; j++) {
			bool last = j == s->container_nr;
			const struct plan_step *x =
				step_of(a, s, last ? NULL : &s->container[j], now_ns);
			const struct plan_step *y =
				step_of(b, t, last ? NULL : &t->container[j], now_ns);

			assert_int_equal(x->rate_hz, y->rate_hz);
			assert_int_equal(x->caps, y->caps);
		}
	}
}

/* Object `n` of a world in which each has a name of its own, so that none replaces another. */
static struct object *numbered_object(uint64_t seed, size_t n)
{
	static const enum object_kind kind[] = { OBJECT_POLICY, OBJECT_POD, OBJECT_CLUSTER_POLICY };
	struct random random = { seed * 1000 + n + 1 };
	struct object *object = random_object(&random, kind[n % ARRAY_SIZE(kind)]);

	free(object->name);
	free(object->uid);
	object->name = xasprintf("o%zu", n);
	object->uid = xasprintf("uid-%zu", n);
	return object;
}

static void the_order_of_arrival_does_not_matter(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		struct store *forward = store_new(), *backward = store_new();

		for (size_t n = 0; n < OBJECTS; n++) {
			size_t m = OBJECTS - 1 - n;

			world_apply(forward, NULL, numbered_object(seed, n),
				    (int64_t)n * SECOND / 2);
			world_apply(backward, NULL, numbered_object(seed, m),
				    (int64_t)m * SECOND / 2);
		}
		for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
			struct plan a, b;

			compile(forward, nodes[i], 20 * SECOND, &a);
			compile(backward, nodes[i], 20 * SECOND, &b);
			assert_same_plan(&a, &b);
			plan_release(&a);
			plan_release(&b);
		}
		store_free(forward);
		store_free(backward);
	}
}

static void take_away_and_compare(uint64_t seed, const char *ns, const char *policy)
{
	struct random random = { seed };
	struct store *store = random_world(&random);

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		struct random again = { seed };
		struct store *less = random_world(&again);
		struct plan with, without;

		store_delete(less, OBJECT_POLICY, ns, policy);
		compile(store, nodes[i], 20 * SECOND, &with);
		compile(less, nodes[i], 20 * SECOND, &without);
		assert_same_settings(&with, &without, 20 * SECOND);
		plan_release(&with);
		plan_release(&without);
		store_free(less);
	}
	store_free(store);
}

static void removing_an_overridden_policy_changes_nothing(void **state)
{
	size_t found = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		struct random random = { seed };
		struct store *store = random_world(&random);
		struct compiler *compiler = compiler_new(NULL);
		struct object_list policies = store_policies(store, "a");

		for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
			struct compile_result result;

			compiler_compile(compiler, store, nodes[i], 20 * SECOND, &result);
			plan_release(&result.plan);
		}
		for (size_t i = 0; i < policies.nr; i++) {
			struct policy_summary summary;

			compiler_summary(compiler, "a", policies.object[i]->name, &summary);
			if (!summary.in_force || summary.has_part || !*summary.winner)
				continue;
			found++;
			take_away_and_compare(seed, "a", policies.object[i]->name);
		}
		compiler_free(compiler);
		store_free(store);
	}
	assert_true(found > 20);
}

static void the_chain_of_steps_is_what_compiling_later_gives(void **state)
{
	size_t compared = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		struct random random = { seed };
		struct store *store = random_world(&random);

		for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
			struct plan now, later;

			compile(store, nodes[i], 20 * SECOND, &now);
			for (size_t j = 0; j < now.boost_nr; j++) {
				for (int64_t late = -1; late <= 1; late++) {
					int64_t t = now.boost[j].expires_ns + late;

					compile(store, nodes[i], t, &later);
					assert_same_settings(&now, &later, t);
					plan_release(&later);
					compared++;
				}
			}
			plan_release(&now);
		}
		store_free(store);
	}
	assert_true(compared > 500);
}

static void run(struct compiler *compiler, const struct store *store, int64_t now_ns,
		struct plan held[2])
{
	const char *name;

	compiler_advance(compiler, now_ns);
	while ((name = compiler_next_dirty(compiler))) {
		size_t n = strcmp(name, nodes[0]) == 0 ? 0 : 1;
		struct compile_result result;

		assert_string_equal(name, nodes[n]);
		plan_release(&held[n]);
		held[n] = (struct plan){ 0 };
		if (!store_has_node(store, name)) {
			compiler_forget(compiler, nodes[n]);
			continue;
		}
		compiler_compile(compiler, store, name, now_ns, &result);
		held[n] = result.plan;
	}
}

static void random_edit(struct random *random, struct store *store, struct compiler *compiler,
			int64_t now_ns)
{
	enum object_kind kind = random_kind(random);
	char ns[2], name[4];
	struct touch touch;

	if (!random_chance(random, 25)) {
		world_apply(store, compiler, random_object(random, kind), now_ns);
		return;
	}
	random_name(random, kind, ns, name);
	touch = store_delete(store, kind, ns, name);
	compiler_touch(compiler, store, &touch);
}

static void incremental_equals_from_scratch(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct random random = { seed };
		struct store *store = store_new();
		struct compiler *compiler = compiler_new(NULL);
		struct plan held[2] = { 0 }, scratch;
		int64_t now_ns = 0;

		for (size_t edit = 0; edit < 80; edit++) {
			for (size_t n = random_below(&random, 3); n > 0; n--)
				random_edit(&random, store, compiler, now_ns);
			now_ns += (int64_t)random_below(&random, 5) * SECOND;
			run(compiler, store, now_ns, held);
			assert_true(compiler_next_end(compiler) > now_ns);
			for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
				if (!store_has_node(store, nodes[i]))
					continue;
				compile(store, nodes[i], now_ns, &scratch);
				assert_same_plan(&held[i], &scratch);
				plan_release(&scratch);
			}
		}
		for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
			plan_release(&held[i]);
		compiler_free(compiler);
		store_free(store);
	}
}

static void every_plan_is_one_that_an_agent_accepts(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		struct random random = { seed };
		struct store *store = random_world(&random);

		for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
			struct err err = ERR_INIT;
			struct plan plan, read;
			json_t *json;

			compile(store, nodes[i], 20 * SECOND, &plan);
			json = plan_to_json(&plan, 20 * SECOND, 30000);
			if (plan_from_json(json, 20 * SECOND, &read, &err) < 0)
				fail_msg("%s", err.text);
			assert_true(plan_equal(&plan, &read));
			json_decref(json);
			plan_release(&plan);
			plan_release(&read);
		}
		store_free(store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_of_arrival_does_not_matter),
		cmocka_unit_test(removing_an_overridden_policy_changes_nothing),
		cmocka_unit_test(the_chain_of_steps_is_what_compiling_later_gives),
		cmocka_unit_test(incremental_equals_from_scratch),
		cmocka_unit_test(every_plan_is_one_that_an_agent_accepts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
