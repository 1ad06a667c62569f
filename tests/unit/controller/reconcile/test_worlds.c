/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/core/text/rfc3339.h"
#include "lib/loop.h"
#include "tests/unit/controller/memory_rig.h"
#include "tests/unit/controller/reconcile/rules.h"

/* Objects go in, statuses and plans come out: in random worlds each says what the rules say (rules.h). */

#define WORLDS 60
#define PATIENCE_MS 8000

static struct ground ground;
static struct plan plans[NODES]; /* as last given to the agents */

/* --- the controller in it --- */

static bool node_get(void *ctx, const char *node, struct hub_node *ret_node)
{
	enum hub_state state = ground.agent[node[1] - '0'];

	(void)ctx;
	*ret_node = (struct hub_node){
		.node = node,
		.state = state,
		.wanted_seq = 1,
		.applied_seq = state == HUB_APPLIED,
		.error = state == HUB_FAILED ? "no" : "",
	};
	return true;
}

static void set_plan(void *ctx, const char *node, struct plan *plan, enum hub_lane lane)
{
	struct plan *kept = &plans[node[1] - '0'];

	(void)ctx;
	(void)lane;
	plan_release(kept);
	*kept = *plan;
	*plan = (struct plan){ 0 };
}

/* Its run was stored by an earlier process, and is over. */
static void store_end(struct rig *rig, const struct asked *p)
{
	char since[RFC3339_MAX], until[RFC3339_MAX];
	int64_t now_s = now_wall_ns() / NSEC_PER_SEC;

	rfc3339_format(now_s - 3600, since);
	rfc3339_format(now_s - 3600 + p->duration_s, until);
	*rig_status_of(rig, p->name) = (struct rig_status){
		.uid = xstrdup(p->name),
		.json = json_pack("{si ss ss}", "observedGeneration", 1, "activeSince", since,
				  "expiresAt", until),
		.generation = 1,
	};
}

/* What a stored status may be when somebody else wrote it: nothing of it may show. */
static json_t *random_nonsense(struct random *random)
{
	switch (random_below(random, 6)) {
	case 0:
		return json_string("Confirmed");
	case 1:
		return json_null();
	case 2:
		return json_pack("{si ss ss}", "observedGeneration", 1, "activeSince",
				 "2999-01-01T00:00:00Z", "expiresAt", "3999-01-01T00:00:00Z");
	case 3:
		return json_pack("{ss si s[i]}", "observedGeneration", "1", "conditions", 5,
				 "clock", 7);
	case 4:
		return json_pack("{si s[i {si} {ss ss ss ss}]}", "observedGeneration", 1,
				 "conditions", 5, "type", 7, "type", "Overridden", "status", "True",
				 "reason", "", "lastTransitionTime", "never");
	default:
		return json_pack("{si ss ss s{si ss}}", "observedGeneration", 1, "activeSince",
				 "2026-01-01T00:00:00Z", "expiresAt", "soon", "clock", "bootID", 1,
				 "startMs", "x");
	}
}

static void store_nonsense(struct rig *rig, struct random *random, const struct asked *p)
{
	*rig_status_of(rig, p->name) = (struct rig_status){
		.uid = xstrdup(p->name),
		.json = random_nonsense(random),
		.generation = 1,
	};
}

static void put(const struct source_sink *sink, json_t *json)
{
	struct manifest_doc doc = { .has_created = true };
	struct err err = ERR_INIT;

	if (object_from_json(json, &doc.object, &err) < 0)
		fail_msg("%s", err.text);
	json_decref(json);
	sink->apply(sink->ctx, &doc);
}

static void tell_all(struct rig *rig, struct random *random)
{
	static const struct plan_sink plan_sink = { .set_plan = set_plan, .node_get = node_get };
	const struct source_sink sink = reconcile_sink(rig->reconcile);
	char name[4];

	reconcile_set_plan_sink(rig->reconcile, &plan_sink);
	for (size_t i = 0; i < 2; i++)
		put(&sink, new_object("Namespace", "", i ? "b" : "a", ground.ns_app[i]));
	for (int i = 0; i < NODES; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		put(&sink, new_object("Node", "", name, ground.node_app[i]));
	}
	for (size_t i = 0; i < ground.pod_nr; i++)
		put(&sink, pod_object(&ground.pod[i]));
	for (size_t i = 0; i < ground.cluster_nr; i++)
		put(&sink, fleet_object(&ground.cluster[i]));
	for (size_t i = 0; i < ground.policy_nr; i++) {
		if (ground.policy[i].expired)
			store_end(rig, &ground.policy[i]);
		else if (random_chance(random, 30))
			store_nonsense(rig, random, &ground.policy[i]);
		put(&sink, policy_object(&ground.policy[i]));
	}
	sink.settled(sink.ctx);
}

/* --- is it what the rules say? --- */

static const char *programmed_reason(const struct asked *p, const struct verdict_expected *v)
{
	if (p->deleting)
		return "Deleting";
	if (p->expired)
		return "Expired";
	if (!v->pods)
		return "NoTargets";
	if (v->agents[HUB_FAILED])
		return "Failed";
	if (v->agents[HUB_ABSENT])
		return "Disconnected";
	return v->agents[HUB_PENDING] ? "Pending" : "Confirmed";
}

static int number(const json_t *status, const char *key, const char *member)
{
	const json_t *value = json_object_get(status, key);

	if (member)
		value = json_object_get(value, member);
	return value ? (int)json_integer_value(value) : -1;
}

static bool has_times(const json_t *status)
{
	const json_t *condition;
	int64_t wall_s;
	size_t i;

	json_array_foreach(json_object_get(status, "conditions"), i, condition)
	{
		const char *text =
			json_string_value(json_object_get(condition, "lastTransitionTime"));

		if (!text || rfc3339_parse(text, &wall_s) < 0)
			return false;
	}
	return i == 6;
}

static const char *compare(const json_t *status, const struct asked *p)
{
	struct verdict_expected v = expected_of(&ground, p);
	const char *reason = programmed_reason(p, &v);
	bool runs = counts(p) && v.pods;
	bool over = strcmp(reason, "Expired") == 0 || strcmp(reason, "NoTargets") == 0;
	bool done = strcmp(reason, "Confirmed") == 0;
	const char *said =
		json_string_value(json_object_get(status_find(status, "Programmed"), "reason"));
	bool overridden = runs && !v.has_part;

	if (!has_times(status))
		return "lastTransitionTime";
	if (number(status, "effectiveSampleRateHz", NULL) != (v.pods ? v.rate : -1))
		return "effectiveSampleRateHz";
	if (number(status, "targets", "pods") != v.pods ||
	    number(status, "targets", "nodes") != v.nodes)
		return "targets";
	if (number(status, "agents", "desired") != v.nodes ||
	    number(status, "agents", "applied") != v.agents[HUB_APPLIED] ||
	    number(status, "agents", "failed") != v.agents[HUB_FAILED])
		return "agents";
	if (!said || strcmp(said, reason) != 0 || status_condition(status, "Programmed") != done)
		return "Programmed";
	if (status_condition(status, "Ready") != (done || over))
		return "Ready";
	if (status_condition(status, "Expired") != (p->expired && !p->deleting))
		return "Expired";
	if (status_condition(status, "Overridden") != overridden)
		return "Overridden";
	if (overridden && !strstr(status_message(status, "Overridden"), v.winner))
		return "Overridden (by whom)";
	if (status_condition(status, "Clamped") != ((runs && (v.lowered || v.lost)) || v.shortened))
		return "Clamped";
	if (!strstr(status_message(status, "Clamped"), "lowered to") == (runs && v.lowered))
		return "Clamped (the rate)";
	return NULL;
}

static const char *first_fault(struct rig *rig, const struct asked **ret_of)
{
	for (size_t i = 0; i < ground.policy_nr; i++) {
		const json_t *status = rig_status_of(rig, ground.policy[i].name)->json;
		const char *fault = status ? compare(status, &ground.policy[i]) : "no status";

		*ret_of = &ground.policy[i];
		if (fault)
			return fault;
	}
	return NULL;
}

/* Is the class of a container (of the pod as a whole), now, what the rules say? */
static bool is_planned(const struct guest *pod, int container)
{
	const struct plan *plan = &plans[pod->node];
	const struct plan_target *target = plan_find_target(plan, pod->name);
	struct fate fate = fate_of(&ground, pod, container);
	const struct plan_step *step;
	const char *id;

	if (!target)
		return false;
	id = container == WHOLE ? NULL : target->container[container - APP].class_id;
	step = plan_find_class(plan, id ? id : target->class_id)->step;
	return (int)step->rate_hz == fate.rate && (int)step->caps == fate.caps;
}

static void check_plans(uint64_t seed)
{
	for (size_t i = 0; i < ground.pod_nr; i++) {
		const struct guest *pod = &ground.pod[i];

		if (pod->done || pod->node < 0)
			continue;
		for (int container = WHOLE; container <= (pod->has_side ? SIDE : APP); container++)
			if (!is_planned(pod, container))
				fail_msg("world %llu, pod %s: the plan", (unsigned long long)seed,
					 pod->name);
	}
	for (size_t i = 0; i < NODES; i++) {
		plan_release(&plans[i]);
		plans[i] = (struct plan){ 0 };
	}
}

static void check_world(struct rig *rig, struct random *random, uint64_t seed)
{
	int64_t until_ns = now_boot_ns() + PATIENCE_MS * NSEC_PER_MSEC;
	const struct asked *of = NULL;
	const char *fault;

	tell_all(rig, random);
	do
		rig_run(rig, 1);
	while ((fault = first_fault(rig, &of)) && now_boot_ns() < until_ns);
	if (!fault)
		return;
	json_dumpf(rig_status_of(rig, of->name)->json, stderr, JSON_INDENT(2));
	fail_msg("world %llu, policy %s: %s", (unsigned long long)seed, of->name, fault);
}

static void every_status_and_every_plan_says_what_the_rules_say(void **state)
{
	struct verdict_expected v;
	size_t overridden = 0, lowered = 0, silent = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		struct random random = { seed };
		void *rig;

		random_ground(&random, &ground);
		rig_setup(&rig);
		check_world(rig, &random, seed);
		check_plans(seed);
		rig_teardown(&rig);
		for (size_t i = 0; i < ground.policy_nr; i++) {
			v = expected_of(&ground, &ground.policy[i]);
			overridden += counts(&ground.policy[i]) && v.pods && !v.has_part;
			lowered += v.lowered;
			silent += v.pods && v.rate == 0;
		}
	}
	/* The worlds are not all alike. */
	assert_true(overridden > WORLDS / 10 && lowered > WORLDS / 10 && silent > WORLDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_status_and_every_plan_says_what_the_rules_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
