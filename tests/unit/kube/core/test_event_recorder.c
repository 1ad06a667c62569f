/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "kube/core/event_recorder.h"
#include "lib/core/text/json.h"

#define SECOND NSEC_PER_SEC
#define WALL (1795232806LL * NSEC_PER_SEC + 123456789)

static struct event_recorder *events;
static const struct event_reason raised = { "Normal", "Raise", "RateRaised" };
static const struct event_reason restored = { "Normal", "Restore", "RateRestored" };
static const struct event_reason clamped = { "Warning", "Clamp", "RateClamped" };
static const struct event_reason not_applied = { "Warning", "Apply", "NotApplied" };
static const struct event_object policy = { "profiling.rubato.dev/v1alpha1", "ProfilingPolicy",
					    "payments", "inc-4211", "u-1" };

static int setup(void **state)
{
	(void)state;
	events = event_recorder_new("profiling.rubato.dev/controller", "rubato-controller-0");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	event_recorder_free(events);
	return 0;
}

static void note(const struct event_reason *reason, int64_t now_ns)
{
	assert_true(
		event_recorder_note(events, reason, &policy, "to 100 Hz", WALL + now_ns, now_ns));
}

static void check_nothing(int64_t now_ns)
{
	struct event_request call;

	assert_false(event_recorder_next(events, now_ns, &call));
}

/* The next request, which is answered with `code`. */
static void check_call(int64_t now_ns, int code, const char *method, const char *path,
		       const char *body)
{
	struct event_request call;

	assert_true(event_recorder_next(events, now_ns, &call));
	assert_string_equal(call.method, method);
	assert_string_equal(call.path, path);
	if (body)
		assert_string_equal(call.body, body);
	check_nothing(now_ns); /* one at a time */
	event_recorder_done(events, call.id, code, now_ns);
	event_request_release(&call);
}

#define LIST "/apis/events.k8s.io/v1/namespaces/payments/events"
#define ONE LIST "/inc-4211.18e9f2b9c21dc915"

static void the_first_is_posted_whole(void **state)
{
	(void)state;
	note(&raised, 0);
	assert_int_equal(event_recorder_wake_ns(events), 0);
	check_call(0, 201, "POST", LIST,
		   "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{\"name\":"
		   "\"inc-4211.18e9f2b9c21dc915\",\"namespace\":\"payments\"},"
		   "\"reportingController\":\"profiling.rubato.dev/controller\",\"type\":"
		   "\"Normal\",\"action\":\"Raise\",\"reason\":\"RateRaised\","
		   "\"reportingInstance\":\"rubato-controller-0\",\"eventTime\":"
		   "\"2026-11-21T03:46:46.123456Z\",\"note\":\"to 100 Hz\",\"regarding\":{"
		   "\"apiVersion\":\"profiling.rubato.dev/v1alpha1\",\"kind\":\"ProfilingPolicy\","
		   "\"namespace\":\"payments\",\"name\":\"inc-4211\",\"uid\":\"u-1\"}}");
	check_nothing(1);
}

static void the_second_makes_a_series_and_further_ones_only_count(void **state)
{
	(void)state;
	note(&not_applied, 0);
	check_call(0, 201, "POST", LIST, NULL);
	note(&not_applied, SECOND);
	check_call(SECOND, 200, "PATCH", ONE,
		   "{\"series\":{\"count\":2,\"lastObservedTime\":"
		   "\"2026-11-21T03:46:47.123456Z\"}}");
	for (int i = 2; i < 1900; i++) {
		note(&not_applied, i * SECOND);
		if (i * SECOND < SECOND + EVENT_REFRESH_NS)
			check_nothing(i * SECOND);
	}
	check_call(1900 * SECOND, 200, "PATCH", ONE,
		   "{\"series\":{\"count\":1900,\"lastObservedTime\":"
		   "\"2026-11-21T04:18:25.123456Z\"}}");
}

static void a_series_that_went_quiet_is_told_once_more_and_forgotten(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		note(&clamped, i);
		check_call(i, 200, i ? "PATCH" : "POST", i ? ONE : LIST, NULL);
	}
	note(&clamped, SECOND);
	assert_int_equal(event_recorder_wake_ns(events), SECOND + EVENT_QUIET_NS);
	check_call(SECOND + EVENT_QUIET_NS, 200, "PATCH", ONE, NULL);
	check_nothing(SECOND + EVENT_QUIET_NS);
	assert_int_equal(event_recorder_nr(events), 0);
	assert_int_equal(event_recorder_wake_ns(events), INT64_MAX);
}

static void an_event_that_the_server_forgot_is_posted_again(void **state)
{
	(void)state;
	note(&not_applied, 0);
	check_call(0, 201, "POST", LIST, NULL);
	note(&not_applied, 1);
	check_call(1, 404, "PATCH", ONE, NULL);
	check_call(2, 201, "POST", LIST, NULL);
	check_nothing(3);
}

static void an_event_is_tried_twelve_times_then_dropped(void **state)
{
	(void)state;
	note(&raised, 0);
	for (int i = 0; i < EVENT_TRIES; i++) {
		check_call(i * EVENT_RETRY_NS, i % 2 ? 503 : 0, "POST", LIST, NULL);
		check_nothing(i * EVENT_RETRY_NS + 1);
	}
	assert_int_equal(event_recorder_nr(events), 0);
}

static void what_the_server_refuses_is_dropped_at_once(void **state)
{
	(void)state;
	note(&raised, 0);
	check_call(0, 403, "POST", LIST, NULL);
	assert_int_equal(event_recorder_nr(events), 0);
}

static void kinds_and_objects_are_apart(void **state)
{
	const struct event_object reborn = { policy.api_version, policy.kind, policy.ns,
					     policy.name, "u-2" };

	(void)state;
	note(&raised, 0);
	note(&restored, 0);
	assert_true(event_recorder_note(events, &raised, &reborn, "", WALL, 0));
	assert_int_equal(event_recorder_nr(events), 3);
}

static void a_full_table_drops_what_is_new_and_goes_on_counting(void **state)
{
	char uid[16];
	struct event_object object = policy;

	(void)state;
	note(&raised, 0);
	object.uid = uid;
	for (int i = 1; i < EVENT_MAX; i++) {
		snprintf(uid, sizeof(uid), "x-%d", i);
		assert_true(event_recorder_note(events, &raised, &object, "", WALL, 0));
	}
	strcpy(uid, "y");
	assert_false(event_recorder_note(events, &raised, &object, "", WALL, 0));
	note(&raised, 1);
	assert_int_equal(event_recorder_nr(events), EVENT_MAX);
}

/* --- shares --- */

static bool note_of(const char *ns, int nr)
{
	char uid[32];
	const struct event_object object = { policy.api_version, policy.kind, ns, "p", uid };

	snprintf(uid, sizeof(uid), "%s-%d", ns, nr);
	return event_recorder_note(events, &raised, &object, "", WALL, 0);
}

/* Whose the next request is: the index in `ns`, or -1. */
static int serve(const char *const *ns, int nr, int code)
{
	struct event_request call;
	int whose = -1;

	if (!event_recorder_next(events, 0, &call))
		return -1;
	for (int i = 0; i < nr; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/namespaces/%s/", ns[i]);
		if (strstr(call.path, path))
			whose = i;
	}
	assert_true(whose >= 0);
	event_recorder_done(events, call.id, code, 0);
	event_request_release(&call);
	return whose;
}

static const char *const tenant[] = { "alice", "bob", "carol", "dave", "eve" };
#define TENANTS (int)ARRAY_SIZE(tenant)

static void one_with_thousands_holds_up_nobody(void **state)
{
	(void)state;
	for (int i = 0; i < EVENT_MAX; i++)
		assert_true(note_of("alice", i));
	assert_false(note_of("alice", EVENT_MAX)); /* the room is all hers already */
	assert_int_equal(serve(tenant, TENANTS, 201), 0);
	note_of("bob", 0);
	note_of("carol", 0);
	assert_int_equal(event_recorder_nr(events), EVENT_MAX);
	for (int i = 0, others = 0; others < 2; i++) {
		assert_true(i < 3);
		others += serve(tenant, TENANTS, 201) > 0;
	}
}

/* What was told already is given up first, and then nothing is lost. */
static void what_was_told_goes_first(void **state)
{
	(void)state;
	for (int i = 0; i < EVENT_MAX; i++)
		assert_true(note_of("alice", i));
	assert_int_equal(serve(tenant, TENANTS, 201), 0);
	assert_true(note_of("bob", 0));
	assert_false(note_of("bob", 1));
}

/* Whatever the order: nobody has less than its share of the room, and none is left empty. */
static void everybody_has_a_share(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		int asked[TENANTS] = { 0 }, got[TENANTS] = { 0 }, whose;

		srand(seed);
		for (int i = 0; i < 3 * EVENT_MAX; i++) {
			/* The first has most to say, the last least. */
			int t = rand() % (1 + rand() % TENANTS);

			note_of(tenant[t], asked[t]++);
		}
		assert_int_equal(event_recorder_nr(events), EVENT_MAX);
		while ((whose = serve(tenant, TENANTS, 403)) >= 0)
			got[whose]++;
		for (int t = 0; t < TENANTS; t++)
			assert_true(got[t] >= MIN(asked[t], EVENT_MAX / TENANTS));
		assert_int_equal(event_recorder_nr(events), 0);
	}
}

static const char *text_of(const json_t *event, const char *part, const char *key)
{
	return json_string_value(json_object_get(part ? json_object_get(event, part) : event, key));
}

static void long_names_and_notes_are_cut_to_what_the_server_takes(void **state)
{
	char name[254], text[1500] = "";
	struct event_object object = { "v", "ClusterProfilingPolicy", "", name, "u" };
	struct event_request call;
	json_t *event;

	(void)state;
	memset(name, 'a', 253);
	name[253] = '\0';
	name[235] = '-';
	name[234] = '.';
	strcpy(text, "x");
	for (int i = 0; i < 700; i++)
		strcat(text, "\xc3\xa9");
	assert_true(event_recorder_note(events, &raised, &object, text, WALL, 0));
	assert_true(event_recorder_next(events, 0, &call));
	assert_string_equal(call.path, "/apis/events.k8s.io/v1/namespaces/default/events");
	event = json_loads(call.body, 0, NULL);
	assert_int_equal(strlen(text_of(event, NULL, "note")), 1023);
	assert_int_equal(strlen(text_of(event, "metadata", "name")), 234 + 17);
	assert_string_equal(text_of(event, "metadata", "name") + 233, "a.18e9f2b9c21dc915");
	assert_null(text_of(event, "regarding", "namespace"));
	json_decref(event);
	event_request_release(&call);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_first_is_posted_whole),
		T(the_second_makes_a_series_and_further_ones_only_count),
		T(a_series_that_went_quiet_is_told_once_more_and_forgotten),
		T(an_event_that_the_server_forgot_is_posted_again),
		T(an_event_is_tried_twelve_times_then_dropped),
		T(what_the_server_refuses_is_dropped_at_once),
		T(kinds_and_objects_are_apart),
		T(a_full_table_drops_what_is_new_and_goes_on_counting),
		T(one_with_thousands_holds_up_nobody),
		T(what_was_told_goes_first),
		T(everybody_has_a_share),
		T(long_names_and_notes_are_cut_to_what_the_server_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
