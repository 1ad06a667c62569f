/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/core/plan/resolve.h"
#include "lib/core/control/control_msg.h"
#include "lib/core/limits.h"
#include "tests/unit/controller/world.h"

/* Whatever the objects, what the controller compiles is what the agent's own code takes: as a plan, and as a delta to
 * what it had. */

#define SECOND NSEC_PER_SEC
#define TTL_MS 90000
#define WORLDS 6
#define EDITS 4
#define LONG "-of-a-container-with-a-name-as-long-as-kubernetes-allows" /* 58 */

static const struct compile_options options = { (const char *const[]){ "app", "bad\nkey", "long" },
						3 };

struct world {
	struct store *store;
	struct compiler *compiler;
	struct random random;
	int64_t now_ns;
	size_t names; /* so many objects have been named */
};

static void begin(struct world *world, uint64_t seed)
{
	*world = (struct world){
		.store = store_new(),
		.compiler = compiler_new(&options),
		.random = { seed },
		.now_ns = SECOND,
	};
}

static void end(struct world *world)
{
	compiler_free(world->compiler);
	store_free(world->store);
}

static void apply(struct world *world, json_t *json)
{
	struct object *object = NULL;
	struct err err = ERR_INIT;

	if (object_from_manifest(json, &object, &err) < 0)
		fail_msg("%s", err.text);
	json_decref(json);
	world_apply(world->store, world->compiler, object, world->now_ns);
}

/* --- what a tenant may write --- */

static const char *ns_of(struct world *world)
{
	static const char *const ns[] = { "a", "b", "c", "d" };

	/* Most of it is one tenant's. */
	return random_chance(&world->random, 60) ? ns[0]
						 : ns[random_below(&world->random, ARRAY_SIZE(ns))];
}

static json_t *hostile_text(struct world *world)
{
	static const char *const text[] = { "shop\n", "\x01",	      "caf\xc2\x85",
					    "\x7f",   "\"\\\"\\\"\\", "\xf0\x9f\x98\x80",
					    "plain" };
	size_t len = 250 + random_below(&world->random, 8);
	char *many;
	json_t *json;

	if (random_chance(&world->random, 60))
		return json_string(text[random_below(&world->random, ARRAY_SIZE(text))]);
	many = xmalloc(len + 1);
	memset(many, random_chance(&world->random, 50) ? '"' : 'x', len);
	many[len] = '\0';
	json = json_string(many);
	free(many);
	return json;
}

static json_t *meta(struct world *world, const char *ns)
{
	json_t *json = json_object();

	set(json, "name", json_sprintf("n%zu", world->names++));
	set(json, "namespace", json_string(ns));
	return json;
}

static json_t *containers(struct world *world, json_t *annotations)
{
	json_t *list = json_array();
	size_t nr = random_chance(&world->random, 25) ? 70 : 1 + random_below(&world->random, 4);

	for (size_t i = 0; i < nr; i++) {
		json_array_append_new(list,
				      json_pack("{s:o}", "name", json_sprintf("c%zu" LONG, i)));
		if (random_chance(&world->random, 10))
			json_object_set_new(annotations, "profiling.rubato.dev/cgroup.c0" LONG,
					    json_string("/a.slice/b c\"d"));
	}
	return list;
}

static void add_pod(struct world *world, const char *ns)
{
	json_t *metadata = meta(world, ns), *annotations = json_object(), *labels = json_object();
	json_t *spec =
		json_pack("{s:s}", "nodeName", random_chance(&world->random, 90) ? "n1" : "n2");

	set(spec, "containers", containers(world, annotations));
	if (random_chance(&world->random, 50))
		set(annotations, "pyroscope.io/service_name", hostile_text(world));
	set(labels, "app",
	    random_chance(&world->random, 50) ? json_string("x") : hostile_text(world));
	set(labels, "bad\nkey", json_string("x"));
	set(labels, "long", hostile_text(world));
	set(metadata, "annotations", annotations);
	set(metadata, "labels", labels);
	apply(world, json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", "v1", "kind", "Pod",
			       "metadata", metadata, "spec", spec));
}

static void add_policy(struct world *world, const char *ns)
{
	json_t *spec = random_policy_spec(&world->random);

	if (random_chance(&world->random, 70))
		set(spec, "duration",
		    json_sprintf("%us", 10 + random_below(&world->random, 80000)));
	if (random_chance(&world->random, 20))
		set(spec, "containers",
		    json_pack("[o]", json_sprintf("c%u" LONG, random_below(&world->random, 60))));
	apply(world, json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", PROFILING_API_VERSION, "kind",
			       "ProfilingPolicy", "metadata", meta(world, ns), "spec", spec));
}

static void add_much(struct world *world)
{
	const char *ns = ns_of(world);
	size_t pods = random_below(&world->random, random_chance(&world->random, 20) ? 1500 : 30);
	size_t policies =
		random_below(&world->random, random_chance(&world->random, 15) ? 300 : 20);

	for (size_t i = 0; i < pods; i++)
		add_pod(world, random_chance(&world->random, 80) ? ns : ns_of(world));
	for (size_t i = 0; i < policies; i++)
		add_policy(world, random_chance(&world->random, 80) ? ns : ns_of(world));
}

/* --- what an agent does with it --- */

static json_t *parse(const char *text)
{
	struct control_head head;
	struct err err = ERR_INIT;
	json_t *json = NULL;

	if (control_head_unpack(text, strlen(text), &head, &json, &err) < 0)
		fail_msg("%s", err.text);
	return json;
}

static struct control_head head_of(const struct plan *from, const struct plan *to)
{
	struct control_head head = { .epoch = { 1, 1 }, .gen = 1 };

	plan_hash(to, head.hash);
	if (from)
		plan_hash(from, head.base);
	return head;
}

static void assert_same(const struct plan *compiled, const struct plan *read)
{
	char a[PLAN_HASH_HEX], b[PLAN_HASH_HEX];

	plan_hash(compiled, a);
	plan_hash(read, b);
	assert_string_equal(a, b);
	assert_true(plan_equal(compiled, read));
	assert_int_equal(compiled->boost_nr, read->boost_nr);
}

static void is_resolved(const struct plan *plan, int64_t now_ns)
{
	const struct ceiling ceiling = { .max_rate_hz = LIMIT_SAMPLE_RATE_HZ, .caps = CAPS_ALL };
	struct cgroups *cgroups = cgroups_new(64);
	struct want *want = xmalloc(sizeof(*want));
	size_t used = 0;

	resolve(plan, cgroups, &ceiling, NULL, now_ns, want);
	for (size_t i = 0; i < want->cls_nr; i++)
		used += want->cls[i].used;
	assert_true(used >= plan->cls_nr);
	want_release(want);
	free(want);
	cgroups_free(cgroups);
}

static void is_taken(const struct plan *plan, int64_t now_ns)
{
	struct control_head head = head_of(NULL, plan);
	cleanup(freep) char *text = control_plan_pack(&head, plan, now_ns, TTL_MS);
	json_t *json = parse(text);
	struct plan read = { 0 };
	struct err err = ERR_INIT;

	assert_true(strlen(text) <= (size_t)LIMIT_PLAN_BYTES);
	if (plan_from_json(json, now_ns, &read, &err) < 0)
		fail_msg("%s", err.text);
	assert_same(plan, &read);
	is_resolved(&read, now_ns);
	json_decref(json);
	plan_release(&read);
}

static void delta_is_taken(const struct plan *from, const struct plan *to, int64_t now_ns)
{
	struct control_head head = head_of(from, to);
	cleanup(freep) char *text = control_delta_pack(&head, from, to, now_ns, TTL_MS);
	json_t *json = parse(text);
	struct plan read = { 0 };
	struct err err = ERR_INIT;

	if (plan_delta_apply(from, json, now_ns, &read, &err) < 0)
		fail_msg("%s", err.text);
	assert_same(to, &read);
	json_decref(json);
	plan_release(&read);
}

static void every_plan_and_every_delta_is_one_that_an_agent_takes(void **state)
{
	size_t shared = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		struct plan before = { 0 };
		struct world world;

		begin(&world, seed);
		for (size_t edit = 0; edit < EDITS; edit++) {
			struct compile_result result;

			add_much(&world);
			compiler_compile(world.compiler, world.store, "n1", world.now_ns, &result);
			is_taken(&result.plan, world.now_ns);
			delta_is_taken(&before, &result.plan, world.now_ns);
			delta_is_taken(&result.plan, &before, world.now_ns);
			shared += result.left_out > 0;
			plan_release(&before);
			before = result.plan;
			world.now_ns += random_below(&world.random, 2000) * SECOND;
		}
		plan_release(&before);
		end(&world);
	}
	assert_true(shared > 0); /* some of these worlds do not fit a plan */
}

static const struct plan_target *target_of(const struct plan *plan, const char *ns)
{
	for (size_t i = 0; i < plan->target_nr; i++)
		if (strcmp(plan->target[i].ns, ns) == 0)
			return &plan->target[i];
	fail_msg("no pod of %s", ns);
	return NULL;
}

static void what_cannot_be_said_of_a_pod_is_left_out_alone(void **state)
{
	struct compile_result result;
	struct world world;

	(void)state;
	begin(&world, 1);
	apply(&world, json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s}, s:{s:s, s:s}},"
				" s:{s:s, s:[{s:s}]}}",
				"apiVersion", "v1", "kind", "Pod", "metadata", "name", "p",
				"namespace", "a", "annotations", "pyroscope.io/service_name",
				"shop\n", "labels", "app", "x", "bad\nkey", "y", "spec", "nodeName",
				"n1", "containers", "name", "main"));
	compiler_compile(world.compiler, world.store, "n1", world.now_ns, &result);
	is_taken(&result.plan, world.now_ns);
	assert_null(target_of(&result.plan, "a")->service);
	assert_int_equal(target_of(&result.plan, "a")->label_nr, 1);
	plan_release(&result.plan);
	end(&world);
}

/* 1,100 boosts of one tenant, each with an end of its own, and the same of a rate. */
static void boosts_of_one_tenant_do_not_take_the_plan_from_others(void **state)
{
	struct compile_result result;
	struct world world;

	(void)state;
	begin(&world, 1);
	add_pod(&world, "a");
	add_pod(&world, "b");
	for (unsigned i = 0; i < 1100; i++)
		apply(&world, json_pack("{s:s, s:s, s:o, s:{s:i, s:o}}", "apiVersion",
					PROFILING_API_VERSION, "kind", "ProfilingPolicy",
					"metadata", meta(&world, "a"), "spec", "sampleRateHz",
					20 + i % 15, "duration", json_sprintf("%us", 60 + i)));
	apply(&world, json_pack("{s:s, s:s, s:o, s:{s:i, s:s}}", "apiVersion",
				PROFILING_API_VERSION, "kind", "ProfilingPolicy", "metadata",
				meta(&world, "b"), "spec", "sampleRateHz", 100, "duration", "60s"));
	compiler_compile(world.compiler, world.store, "n1", world.now_ns, &result);
	is_taken(&result.plan, world.now_ns);
	assert_int_equal(plan_find_class(&result.plan, "b")->step[0].rate_hz, 100);
	assert_true(result.plan.boost_nr <= 2 * LIMIT_PLAN_STEPS);
	plan_release(&result.plan);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_plan_and_every_delta_is_one_that_an_agent_takes),
		cmocka_unit_test(what_cannot_be_said_of_a_pod_is_left_out_alone),
		cmocka_unit_test(boosts_of_one_tenant_do_not_take_the_plan_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
