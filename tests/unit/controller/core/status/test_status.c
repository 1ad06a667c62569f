/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/controller/core/status/status_rig.h"

static void a_boost_in_force_says_so(void **state)
{
	struct fixture f;
	json_t *status, *wanted;

	(void)state;
	begin(&f);
	status = status_build(&f.input);
	json_object_del(status, "conditions");
	wanted = json_loads("{\"observedGeneration\": 4, \"effectiveSampleRateHz\": 100,"
			    "\"activeSince\": \"2026-01-01T00:00:00Z\","
			    "\"expiresAt\": \"2026-01-01T00:01:00Z\","
			    "\"clock\": {\"bootID\": \"boot\", \"startMs\": 0, \"endMs\": 60000},"
			    "\"targets\": {\"pods\": 2, \"nodes\": 2},"
			    "\"agents\": {\"desired\": 2, \"applied\": 2, \"failed\": 0}}",
			    0, NULL);
	assert_true(status_equal(status, wanted));
	json_decref(status);
	json_decref(wanted);
	check(&f, "Accepted", true, "Valid");
	check(&f, "Programmed", true, "Confirmed");
	check(&f, "Clamped", false, "WithinLimits");
	check(&f, "Overridden", false, "InForce");
	check(&f, "Expired", false, "Running");
	check(&f, "Ready", true, "Confirmed");
	object_free(f.object);
}

static void programmed_waits_for_every_agent(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	f.agents = (struct status_agents){ 0 };
	status_agents_add(&f.agents, "n1", HUB_APPLIED, NULL);
	status_agents_add(&f.agents, "n2", HUB_PENDING, NULL);
	check(&f, "Programmed", false, "Pending");
	status_agents_add(&f.agents, "n3", HUB_ABSENT, NULL);
	check(&f, "Programmed", false, "Disconnected");
	check_message(&f, "Programmed", "No agent is connected on node n3, where such pods run.");
	status_agents_add(&f.agents, "n0", HUB_ABSENT, NULL);
	check_message(&f, "Programmed",
		      "No agent is connected on node n0 and others, where such pods run.");
	status_agents_add(&f.agents, "n5", HUB_FAILED, "later");
	status_agents_add(&f.agents, "n4", HUB_FAILED, "no such map");
	check(&f, "Programmed", false, "Failed");
	check(&f, "Ready", false, "Failed");
	assert_string_equal(f.agents.failed_node, "n4");
	object_free(f.object);
}

static void a_node_without_room_is_named_and_not_confirmed(void **state)
{
	static const char *const node[] = { "n3", "n2", "n1" };
	struct fixture f;

	(void)state;
	begin(&f);
	f.agents = (struct status_agents){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(node); i++)
		status_agents_add(&f.agents, node[i], HUB_APPLIED, NULL);
	status_agents_incomplete(&f.agents, node[0]);
	status_agents_incomplete(&f.agents, node[1]);
	check(&f, "Programmed", false, "Incomplete");
	check(&f, "Ready", false, "Incomplete");
	assert_string_equal(f.agents.incomplete_node, "n2");
	object_free(f.object);
}

static void the_ceiling_of_an_agent_is_told_with_its_node(void **state)
{
	struct fixture f;
	json_t *status;

	(void)state;
	begin(&f);
	status_agents_ceiling(&f.agents, "n2", 50);
	status_agents_ceiling(&f.agents, "n1", 50);
	status_agents_ceiling(&f.agents, "n0", 60);
	f.summary.rate_hz = 100;
	check(&f, "Programmed", true, "Confirmed");
	check(&f, "Clamped", true, "Limited");
	status = status_build(&f.input);
	assert_int_equal(json_integer_value(json_object_get(status, "effectiveSampleRateHz")), 50);
	assert_string_equal(condition_text(status, "Clamped", "message"),
			    "100 Hz lowered to 50 Hz by the agent on node n1");
	json_decref(status);
	/* What it asks for is below all ceilings. */
	f.summary.rate_hz = 49;
	check(&f, "Clamped", false, "WithinLimits");
	object_free(f.object);
}

static void without_pods_it_is_ready_but_not_programmed(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	f.summary = (struct policy_summary){ 0 };
	f.agents = (struct status_agents){ 0 };
	check(&f, "Programmed", false, "NoTargets");
	check(&f, "Ready", true, "NoTargets");
	object_free(f.object);
}

static void a_boost_waits_for_its_stored_deadline_and_expires(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	f.clock.durable = false;
	check(&f, "Programmed", false, "NotStored");
	f.clock.durable = true;
	f.input.now.boot_ns = 60 * SECOND;
	check(&f, "Expired", true, "DurationOver");
	check(&f, "Programmed", false, "Expired");
	check(&f, "Ready", true, "Expired");
	object_free(f.object);
}

static void an_overridden_policy_names_the_winner(void **state)
{
	struct fixture f;
	json_t *status;

	(void)state;
	begin(&f);
	f.summary.has_part = false;
	snprintf(f.summary.winner, sizeof(f.summary.winner), "stronger");
	status = status_build(&f.input);
	assert_true(status_condition(status, "Overridden"));
	assert_string_equal(condition_text(status, "Overridden", "message"),
			    "ProfilingPolicy stronger decides instead.");
	json_decref(status);
	object_free(f.object);
}

static void an_unchanged_state_gives_an_unchanged_status(void **state)
{
	struct fixture f;
	json_t *first, *second;

	(void)state;
	begin(&f);
	first = status_build(&f.input);
	f.input.previous = first;
	f.input.now.wall_s += 3600;
	f.input.now.boot_ns += SECOND;
	second = status_build(&f.input);
	assert_true(status_equal(first, second));
	assert_false(status_equal(first, NULL));
	json_decref(first);
	json_decref(second);
	object_free(f.object);
}

static void a_transition_time_moves_only_when_the_status_flips(void **state)
{
	struct fixture f;
	json_t *first, *second;

	(void)state;
	begin(&f);
	first = status_build(&f.input);
	f.input.previous = first;
	f.input.now.wall_s += 3600;
	f.agents = (struct status_agents){ .applied = 1, .pending = 1 };
	second = status_build(&f.input);
	assert_string_equal(condition_text(second, "Programmed", "lastTransitionTime"),
			    "2026-01-01T01:00:00Z");
	assert_string_equal(condition_text(second, "Accepted", "lastTransitionTime"),
			    "2026-01-01T00:00:00Z");
	json_decref(first);
	json_decref(second);
	object_free(f.object);
}

static void a_refused_policy_carries_the_sentence(void **state)
{
	const struct status_input nothing = { .object = NULL };
	json_t *status = status_build_refused(2, "spec: is missing", &nothing);

	(void)state;
	assert_true(status_is_refusal(status));
	assert_false(status_condition(status, "Ready"));
	assert_string_equal(condition_text(status, "Accepted", "reason"), "Invalid");
	assert_string_equal(condition_text(status, "Ready", "message"),
			    "spec: is missing. Generation 2 is not in force; nothing is in force. "
			    "Change the field, or bring the CRDs and the controller to the same "
			    "version.");
	json_decref(status);
}

static void what_stays_in_force_is_told_beside_the_refusal(void **state)
{
	struct fixture f;
	json_t *status;

	(void)state;
	begin(&f);
	status = status_build_refused(5, "spec.rate: is not a field; did you mean sampleRateHz?",
				      &f.input);
	assert_int_equal(json_integer_value(json_object_get(status, "observedGeneration")), 5);
	assert_int_equal(status_generation(status, "Accepted"), 5);
	assert_int_equal(status_generation(status, "Ready"), 5);
	assert_false(status_condition(status, "Ready"));
	assert_true(status_condition(status, "Programmed"));
	assert_int_equal(status_generation(status, "Programmed"), 4);
	assert_int_equal(json_array_size(json_object_get(status, "conditions")), 6);
	assert_non_null(strstr(status_message(status, "Accepted"),
			       "sampleRateHz? Generation 5 is not in force; generation 4 stays in "
			       "force until it is mended."));
	json_decref(status);
	object_free(f.object);
}

static void a_boost_that_ends_beside_a_refusal_leaves_nothing_in_force(void **state)
{
	struct fixture f;
	json_t *status;

	(void)state;
	begin(&f);
	f.input.now.boot_ns = 60 * SECOND;
	status = status_build_refused(5, "spec: is missing", &f.input);
	assert_true(status_condition(status, "Expired"));
	assert_false(status_condition(status, "Ready"));
	assert_non_null(strstr(status_message(status, "Accepted"),
			       "generation 4 is over, so nothing is in force."));
	json_decref(status);
	object_free(f.object);
}

static void a_sentence_of_any_bytes_fits_the_crd(void **state)
{
	const struct status_input nothing = { .object = NULL };
	char why[ERR_TEXT_MAX];
	json_t *status;

	(void)state;
	memset(why, '\xe2', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	status = status_build_refused(INT64_MAX, why, &nothing);
	assert_true(strlen(status_message(status, "Accepted")) < 1024);
	assert_non_null(strstr(status_message(status, "Accepted"), "same version."));
	json_decref(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_boost_in_force_says_so),
		cmocka_unit_test(programmed_waits_for_every_agent),
		cmocka_unit_test(a_node_without_room_is_named_and_not_confirmed),
		cmocka_unit_test(the_ceiling_of_an_agent_is_told_with_its_node),
		cmocka_unit_test(without_pods_it_is_ready_but_not_programmed),
		cmocka_unit_test(a_boost_waits_for_its_stored_deadline_and_expires),
		cmocka_unit_test(an_overridden_policy_names_the_winner),
		cmocka_unit_test(an_unchanged_state_gives_an_unchanged_status),
		cmocka_unit_test(a_transition_time_moves_only_when_the_status_flips),
		cmocka_unit_test(a_refused_policy_carries_the_sentence),
		cmocka_unit_test(what_stays_in_force_is_told_beside_the_refusal),
		cmocka_unit_test(a_boost_that_ends_beside_a_refusal_leaves_nothing_in_force),
		cmocka_unit_test(a_sentence_of_any_bytes_fits_the_crd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
