/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/reconcile/reconcile_priv.h"
#include "lib/core/text/rfc3339.h"
#include "tests/unit/controller/memory_rig.h"

/* What people are told in words, and how often. */

#define CONTINUOUS "{\"sampleRateHz\": 40}"
#define BOOST "{\"sampleRateHz\": 90, \"duration\": \"10m\"}"
#define OTHER_BOOST "{\"sampleRateHz\": 80, \"duration\": \"10m\"}"
#define BAD "{\"sampleRateHz\": 5000}"

static const char *last_note(const struct rig *rig, enum policy_event event)
{
	const char *text = NULL;

	for (size_t i = 0; i < rig->note_nr; i++)
		if (rig->note[i].event == event)
			text = rig->note[i].text;
	return text ? text : "nothing";
}

static int count(const struct rig *rig, enum policy_event event)
{
	int nr = 0;

	for (size_t i = 0; i < rig->note_nr; i++)
		nr += rig->note[i].event == event;
	return nr;
}

/* --- limits --- */

static void a_boost_that_a_limit_shortens_says_so_from_the_first_status_on(void **state)
{
	struct rig *rig = *state;
	int64_t since_s = 0, expires_s = 0;

	rig_comes(rig, json_pack("{ss ss s{ss ss sI} s{s{ss}}}", "apiVersion",
				 PROFILING_API_VERSION, "kind", "ClusterProfilingPolicy",
				 "metadata", "name", "fleet", "uid", "c1", "generation",
				 (json_int_t)1, "spec", "limits", "maxDuration", "2m"));
	json_decref(rig->first);
	rig->first = NULL;
	rig->writes = 0;
	rig_comes(rig, rig_policy("u1", 1, BOOST));
	assert_int_equal(
		rfc3339_parse(json_string_value(json_object_get(rig->first, "activeSince")),
			      &since_s),
		0);
	assert_int_equal(rfc3339_parse(json_string_value(json_object_get(rig->first, "expiresAt")),
				       &expires_s),
			 0);
	assert_int_equal(expires_s - since_s, 120);
	assert_string_equal(last_note(rig, POLICY_CLAMPED),
			    "duration 10m0s shortened to 2m0s by fleet");
	assert_int_equal(count(rig, POLICY_CLAMPED), 1);
}

/* --- the end of a boost --- */

static void a_deleted_boost_is_restored(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 1, BOOST));
	rig_goes(rig);
	assert_int_equal(count(rig, POLICY_RESTORED), 1);
	assert_string_equal(rig->note[0].uid, "u1");
	assert_string_equal(last_note(rig, POLICY_RESTORED),
			    "The boost ends, it was deleted: rates go back to what they were.");
}

static void an_edited_boost_ends_and_its_new_generation_ends_for_itself(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 1, BOOST));
	rig_comes(rig, rig_policy("u1", 2, OTHER_BOOST));
	assert_int_equal(count(rig, POLICY_RESTORED), 1);
	assert_string_equal(last_note(rig, POLICY_RESTORED),
			    "The boost ends, it was edited: the new generation decides.");
	rig_goes(rig);
	assert_int_equal(count(rig, POLICY_RESTORED), 2);
}

static void a_boost_that_becomes_continuous_ends(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 1, BOOST));
	rig_comes(rig, rig_policy("u1", 2, CONTINUOUS));
	rig_goes(rig);
	assert_int_equal(count(rig, POLICY_RESTORED), 1);
}

static void the_same_generation_again_ends_nothing(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 1, BOOST));
	rig_comes(rig, rig_policy("u1", 1, BOOST));
	assert_int_equal(rig->note_nr, 0);
}

static void a_continuous_policy_has_no_end_to_tell(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 1, CONTINUOUS));
	rig_comes(rig, rig_policy("u1", 2, "{\"sampleRateHz\": 30}"));
	rig_goes(rig);
	assert_int_equal(rig->note_nr, 0);
}

/* The API server gives it a deletionTimestamp and another generation; it goes when the finalizer has. */
static void a_boost_with_a_finalizer_is_restored_once_when_it_is_deleted(void **state)
{
	struct rig *rig = *state;
	json_t *leaving = rig_policy("u1", 2, BOOST);

	json_object_set_new(json_object_get(leaving, "metadata"), "deletionTimestamp",
			    json_string("2026-01-01T00:00:00Z"));
	rig_comes(rig, rig_policy("u1", 1, BOOST));
	rig_comes(rig, json_incref(leaving));
	assert_string_equal(last_note(rig, POLICY_RESTORED),
			    "The boost ends, it was deleted: rates go back to what they were.");
	assert_int_equal(rig_metric(rig, "rubato_controller_boosts_active"), 0);
	rig_comes(rig, leaving);
	rig_goes(rig);
	assert_int_equal(count(rig, POLICY_RESTORED), 1);
}

static void a_boost_that_outlives_a_restart_is_restored_by_the_next_process(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 1, BOOST));
	rig_stop(rig);
	rig_start(rig);
	rig_comes(rig, rig_policy("u1", 1, BOOST));
	assert_int_equal(rig->note_nr, 0);
	rig_goes(rig);
	assert_int_equal(count(rig, POLICY_RESTORED), 1);
}

static void a_boost_beside_a_refused_generation_is_restored_when_it_is_deleted(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 1, BOOST));
	rig_comes(rig, rig_policy("u1", 2, BAD));
	assert_int_equal(count(rig, POLICY_RESTORED), 0);
	rig_goes(rig);
	assert_int_equal(count(rig, POLICY_RESTORED), 1);
}

static void one_of_the_same_name_made_anew_ends_the_old_boost(void **state)
{
	struct rig *rig = *state;

	rig_comes(rig, rig_policy("u1", 1, BOOST));
	rig_comes(rig, rig_policy("u2", 1, BOOST));
	assert_int_equal(count(rig, POLICY_RESTORED), 1);
	assert_string_equal(rig->note[0].uid, "u1");
	rig_goes(rig);
	assert_int_equal(count(rig, POLICY_RESTORED), 2);
	assert_string_equal(rig->note[1].uid, "u2");
}

/* --- what a status tells --- */

#define NOTHING "{}"
#define PENDING                                                                                    \
	"{\"conditions\": [{\"type\": \"Programmed\", \"status\": \"False\", \"message\": "        \
	"\"Agents have yet to confirm.\", \"observedGeneration\": 1}]}"
#define PROGRAMMED(generation)                                                                     \
	"{\"effectiveSampleRateHz\": 90, \"expiresAt\": \"2026-01-01T00:00:00Z\", "                \
	"\"conditions\": [{\"type\": \"Programmed\", \"status\": \"True\", \"message\": "          \
	"\"Every agent.\", \"observedGeneration\": " #generation "}]}"
#define FAILED(nr, node)                                                                           \
	"{\"agents\": {\"failed\": " #nr "}, \"conditions\": [{\"type\": \"Programmed\", "         \
	"\"status\": \"False\", \"message\": \"The agent on node " node " refused: no\"}]}"
#define CLAMPED(generation)                                                                        \
	"{\"conditions\": [{\"type\": \"Clamped\", \"status\": \"True\", \"message\": "            \
	"\"100 Hz lowered to 49 Hz by limit\", \"observedGeneration\": " #generation "}]}"

/* The status of a running boost (or of a continuous policy) changes so. */
static void changes(struct rig *rig, const char *spec, const char *before, const char *after)
{
	struct reconcile reconcile = { .note = rig_on_note, .note_ctx = rig };
	struct object *object = world_object(rig_policy("u1", 1, spec));
	json_t *old = json_loads(before, 0, NULL), *new = json_loads(after, 0, NULL);

	assert_non_null(old);
	assert_non_null(new);
	reconcile_note_status(&reconcile, object, old, new, policy_is_boost(&object->policy));
	json_decref(old);
	json_decref(new);
	object_free(object);
}

static void an_agent_that_refuses_is_told_of_once(void **state)
{
	struct rig *rig = *state;

	changes(rig, BOOST, PENDING, FAILED(1, "a"));
	assert_int_equal(rig->note_nr, 1);
	assert_string_equal(last_note(rig, POLICY_FAILED), "The agent on node a refused: no");
	changes(rig, BOOST, FAILED(1, "a"), FAILED(2, "a"));
	changes(rig, BOOST, FAILED(2, "a"), FAILED(1, "b"));
	assert_int_equal(rig->note_nr, 1);
	changes(rig, BOOST, FAILED(1, "b"), PENDING);
	changes(rig, CONTINUOUS, PENDING, FAILED(1, "b"));
	assert_int_equal(count(rig, POLICY_FAILED), 2);
}

static void a_raise_is_told_when_all_have_confirmed(void **state)
{
	struct rig *rig = *state;

	changes(rig, BOOST, NOTHING, PENDING);
	assert_int_equal(rig->note_nr, 0);
	changes(rig, BOOST, PENDING, PROGRAMMED(1));
	assert_string_equal(
		last_note(rig, POLICY_RAISED),
		"Every agent concerned has confirmed: up to 90 Hz, until 2026-01-01T00:00:00Z.");
	changes(rig, BOOST, PROGRAMMED(1), PROGRAMMED(1));
	assert_int_equal(rig->note_nr, 1);
}

/* An edit may be confirmed before anybody looks. */
static void another_generation_is_another_raise(void **state)
{
	struct rig *rig = *state;

	changes(rig, BOOST, PROGRAMMED(1), PROGRAMMED(2));
	assert_int_equal(count(rig, POLICY_RAISED), 1);
}

static void a_continuous_policy_raises_nothing(void **state)
{
	struct rig *rig = *state;

	changes(rig, CONTINUOUS, PENDING, PROGRAMMED(1));
	assert_int_equal(rig->note_nr, 0);
}

static void a_clamp_is_told_once_for_each_generation(void **state)
{
	struct rig *rig = *state;

	changes(rig, CONTINUOUS, NOTHING, CLAMPED(1));
	changes(rig, CONTINUOUS, CLAMPED(1), CLAMPED(1));
	assert_int_equal(rig->note_nr, 1);
	assert_string_equal(last_note(rig, POLICY_CLAMPED), "100 Hz lowered to 49 Hz by limit");
	changes(rig, CONTINUOUS, CLAMPED(1), CLAMPED(2));
	assert_int_equal(count(rig, POLICY_CLAMPED), 2);
}

/* --- a limit --- */

static void a_limit_that_comes_later_shortens_a_running_boost_without_a_gap(void **state)
{
	struct rig *rig = *state;
	json_t *limit = json_pack("{ss ss s{ss ss sI} s{s{ss}}}", "apiVersion",
				  PROFILING_API_VERSION, "kind", "ClusterProfilingPolicy",
				  "metadata", "name", "limit", "uid", "u9", "generation",
				  (json_int_t)1, "spec", "limits", "maxDuration", "20s");
	const struct source_sink sink = reconcile_sink(rig->reconcile);
	struct manifest_doc doc = { .object = world_object(limit), .has_created = true };

	rig_comes(rig, rig_policy("u1", 1, BOOST));
	rig->on_its_way = true;
	sink.apply(sink.ctx, &doc);
	sink.settled(sink.ctx);
	assert_int_equal(rig_metric(rig, "rubato_controller_boosts_active"), 1);
	rig_run(rig, 20);
	assert_int_equal(count(rig, POLICY_RESTORED), 0);
	assert_int_equal(count(rig, POLICY_CLAMPED), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(a_boost_that_a_limit_shortens_says_so_from_the_first_status_on),
		T(a_deleted_boost_is_restored),
		T(an_edited_boost_ends_and_its_new_generation_ends_for_itself),
		T(a_boost_that_becomes_continuous_ends),
		T(the_same_generation_again_ends_nothing),
		T(a_continuous_policy_has_no_end_to_tell),
		T(a_boost_with_a_finalizer_is_restored_once_when_it_is_deleted),
		T(a_boost_that_outlives_a_restart_is_restored_by_the_next_process),
		T(a_boost_beside_a_refused_generation_is_restored_when_it_is_deleted),
		T(one_of_the_same_name_made_anew_ends_the_old_boost),
		T(an_agent_that_refuses_is_told_of_once),
		T(a_raise_is_told_when_all_have_confirmed),
		T(another_generation_is_another_raise),
		T(a_continuous_policy_raises_nothing),
		T(a_clamp_is_told_once_for_each_generation),
		T(a_limit_that_comes_later_shortens_a_running_boost_without_a_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
