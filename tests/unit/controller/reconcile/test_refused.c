/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/controller/memory_rig.h"

/* Policies that the API server took and that cannot be used here. */

#define GOOD "{\"sampleRateHz\": 40}"
#define BOOST "{\"sampleRateHz\": 90, \"duration\": \"10s\"}"
#define BAD "{\"sampleRateHz\": 5000}"
#define NEWER "{\"sampleRateHz\": 40, \"sampleUnit\": \"Hz\"}"

static const char *message(struct rig *rig, const char *uid)
{
	const char *text = status_message(rig_status_of(rig, uid)->json, "Accepted");

	return text ? text : "";
}

static bool is_true(struct rig *rig, const char *uid, const char *condition)
{
	return status_condition(rig_status_of(rig, uid)->json, condition);
}

static void says(struct rig *rig, const char *uid, const char *part)
{
	if (!strstr(message(rig, uid), part))
		fail_msg("\"%s\" is not in \"%s\"", part, message(rig, uid));
}

static void a_bad_policy_says_what_is_wrong_and_that_nothing_is_in_force(void **state)
{
	struct rig *rig = *state;
	const json_t *status;

	rig_comes(rig, rig_policy("u1", 3, BAD));
	status = rig_status_of(rig, "u1")->json;
	assert_true(status_is_refusal(status));
	assert_int_equal(status_generation(status, "Ready"), 3);
	assert_int_equal(json_integer_value(json_object_get(status, "observedGeneration")), 3);
	says(rig, "u1", "spec.sampleRateHz: 5000 is not in 0..200");
	says(rig, "u1", "Generation 3 is not in force; nothing is in force.");
	assert_int_equal(rig_rate(rig), -1);
	assert_int_equal(
		rig_metric(rig, "rubato_controller_policies_refused{kind=\"ProfilingPolicy\"}"), 1);
	assert_int_equal(rig_metric(rig, "rubato_controller_policies{kind=\"ProfilingPolicy\"}"),
			 0);
}

static void the_last_good_generation_stays_in_force(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 2, GOOD));
	assert_true(is_true(rig, "u1", "Accepted"));
	rig_comes(rig, rig_policy("u1", 3, NEWER));
	says(rig, "u1", "spec.sampleUnit: is not a field");
	says(rig, "u1", "Generation 3 is not in force; generation 2 stays in force");
	assert_false(is_true(rig, "u1", "Ready"));
	assert_int_equal(status_generation(rig_status_of(rig, "u1")->json, "Programmed"), 2);
	assert_int_equal(rig_rate(rig), 40);
}

static void once_mended_it_is_accepted_again(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 2, GOOD));
	rig_comes(rig, rig_policy("u1", 3, BAD));
	rig_comes(rig, rig_policy("u1", 4, "{\"sampleRateHz\": 60}"));
	assert_true(is_true(rig, "u1", "Accepted"));
	assert_int_equal(rig_rate(rig), 60);
	assert_int_equal(
		rig_metric(rig, "rubato_controller_policies_refused{kind=\"ProfilingPolicy\"}"), 0);
}

static void a_restored_etcd_may_bring_the_good_generation_back(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 2, GOOD));
	rig_comes(rig, rig_policy("u1", 3, BAD));
	rig_comes(rig, rig_policy("u1", 2, GOOD));
	assert_true(is_true(rig, "u1", "Accepted"));
}

static void what_has_not_changed_is_not_written(void **state)
{
	struct rig *rig = *state;
	int writes;

	rig_comes(rig, rig_policy("u1", 2, GOOD));
	rig_comes(rig, rig_policy("u1", 3, BAD));
	writes = rig->writes;
	rig_comes(rig, rig_policy("u1", 3, BAD));
	rig_run(rig, 1100);
	rig_comes(rig, rig_policy("u1", 3, BAD));
	assert_int_equal(rig->writes, writes);
	assert_int_equal(rig->note_nr, 1);
}

static void after_a_restart_nothing_is_in_force_and_that_is_written_once(void **state)
{
	struct rig *rig = *state;
	int writes;

	rig_comes(rig, rig_policy("u1", 2, GOOD));
	rig_comes(rig, rig_policy("u1", 3, BAD));
	rig_stop(rig);
	rig_start(rig);
	rig_comes(rig, rig_policy("u1", 3, BAD));
	says(rig, "u1", "nothing is in force");
	writes = rig->writes;
	rig_stop(rig);
	rig_start(rig);
	rig_comes(rig, rig_policy("u1", 3, BAD));
	assert_int_equal(rig->writes, writes);
	assert_int_equal(rig->note_nr, 1);
}

static void a_boost_beside_it_keeps_its_end(void **state)
{
	struct rig *rig = *state;
	json_t *end;

	rig_comes(rig, rig_policy("u1", 2, BOOST));
	end = json_incref(json_object_get(rig_status_of(rig, "u1")->json, "clock"));
	assert_non_null(end);
	rig_comes(rig, rig_policy("u1", 3, BAD));
	assert_true(json_equal(json_object_get(rig_status_of(rig, "u1")->json, "clock"), end));
	assert_int_equal(rig_metric(rig, "rubato_controller_boosts_active"), 1);
	json_decref(end);
}

/* The clock in the status is of generation 2, whatever its observedGeneration says. */
static void a_newer_controller_does_not_take_the_old_clock_for_the_new_generations(void **state)
{
	struct rig *rig = *state;
	json_t *end;

	rig_comes(rig, rig_policy("u1", 2, BOOST));
	rig_comes(rig, rig_policy("u1", 3, BAD));
	end = json_incref(json_object_get(rig_status_of(rig, "u1")->json, "clock"));
	rig_stop(rig);
	rig_run(rig, 5);
	rig_start(rig);
	rig_comes(rig, rig_policy("u1", 3, BOOST));
	assert_int_equal(rig_metric(rig, "rubato_controller_boosts_active"), 1);
	assert_false(json_equal(json_object_get(rig_status_of(rig, "u1")->json, "clock"), end));
	json_decref(end);
}

static void deleted_means_both_are_gone(void **state)
{
	struct rig *rig = *state;
	int writes;

	rig_comes(rig, rig_policy("u1", 2, GOOD));
	rig_comes(rig, rig_policy("u1", 3, BAD));
	writes = rig->writes;
	rig_goes(rig);
	assert_int_equal(rig_rate(rig), -1);
	assert_int_equal(rig->writes, writes);
	assert_int_equal(
		rig_metric(rig, "rubato_controller_policies_refused{kind=\"ProfilingPolicy\"}"), 0);
}

static void a_missed_deletion_is_made_up_for_even_when_it_never_was_good(void **state)
{
	const struct key_set nobody = { 0 };
	struct rig *rig = *state;
	const struct source_sink sink = reconcile_sink(rig->reconcile);
	struct sweep_at at = { 0 };

	rig_comes(rig, rig_policy("u1", 3, BAD));
	assert_true(sink.sweep(sink.ctx, OBJECT_POLICY, &nobody, &at));
	sink.settled(sink.ctx);
	assert_int_equal(
		rig_metric(rig, "rubato_controller_policies_refused{kind=\"ProfilingPolicy\"}"), 0);
}

static void another_object_of_the_name_inherits_nothing(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 2, GOOD));
	rig_comes(rig, rig_policy("u2", 1, BAD));
	says(rig, "u2", "nothing is in force");
	assert_int_equal(rig_rate(rig), -1);
}

static void what_is_being_deleted_is_not_in_force(void **state)
{
	struct rig *rig = *state;
	json_t *leaving = rig_policy("u1", 3, BAD);

	json_object_set_new(json_object_get(leaving, "metadata"), "deletionTimestamp",
			    json_string("2026-01-01T00:00:00Z"));
	rig_comes(rig, rig_policy("u1", 2, GOOD));
	rig_comes(rig, leaving);
	assert_int_equal(rig_rate(rig), -1);
}

static void a_name_that_only_an_older_crd_lets_through_is_told_of_too(void **state)
{
	struct rig *rig = *state;
	char name[101] = "";
	json_t *json = rig_policy("u1", 1, GOOD);

	memset(name, 'x', sizeof(name) - 1);
	json_object_set_new(json_object_get(json, "metadata"), "name", json_string(name));
	rig_comes(rig, json);
	says(rig, "u1", "metadata.name: is not a Kubernetes name of at most 63 characters");
}

static void the_event_is_a_warning_with_the_same_sentence(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 3, BAD));
	assert_int_equal(rig->note_nr, 1);
	assert_int_equal(rig->note[0].event, POLICY_REFUSED);
	assert_string_equal(rig->note[0].text, message(rig, "u1"));
	rig_comes(rig, rig_policy("u1", 4, BAD));
	assert_int_equal(rig->note_nr, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(a_bad_policy_says_what_is_wrong_and_that_nothing_is_in_force),
		T(the_last_good_generation_stays_in_force),
		T(once_mended_it_is_accepted_again),
		T(a_restored_etcd_may_bring_the_good_generation_back),
		T(what_has_not_changed_is_not_written),
		T(after_a_restart_nothing_is_in_force_and_that_is_written_once),
		T(a_boost_beside_it_keeps_its_end),
		T(a_newer_controller_does_not_take_the_old_clock_for_the_new_generations),
		T(deleted_means_both_are_gone),
		T(a_missed_deletion_is_made_up_for_even_when_it_never_was_good),
		T(another_object_of_the_name_inherits_nothing),
		T(what_is_being_deleted_is_not_in_force),
		T(a_name_that_only_an_older_crd_lets_through_is_told_of_too),
		T(the_event_is_a_warning_with_the_same_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
