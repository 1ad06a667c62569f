/* SPDX-License-Identifier: Apache-2.0 */

/* Which status goes first. */

#include "tests/unit/controller/core/status/queue_rig.h"

/* A status with a count and the condition Programmed. */
static void want_status(struct status_queue *queue, const char *ns, const char *name, int count,
			const char *programmed)
{
	struct object object = named(name, name);
	json_t *status = json_pack("{s:i, s:i, s:[{s:s, s:s}]}", "observedGeneration", 1, "value",
				   count, "conditions", "type", "Programmed", "status", programmed);

	object.ns = (char *)ns;
	(void)!status_queue_want(queue, &object, status, false);
	json_decref(status);
}

/* The API has a status of each, with a count of 0 and Programmed=False. */
static void have_stored(struct status_queue *queue, const char *ns, int nr)
{
	struct status_entry *entry;
	char name[16];

	for (int i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		want_status(queue, ns, name, 0, "False");
	}
	while ((entry = status_queue_next(queue, 0)))
		done(queue, entry, STATUS_STORED);
}

static void counts_change(struct status_queue *queue, const char *ns, int nr)
{
	char name[16];

	for (int i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		want_status(queue, ns, name, 1, "False");
	}
}

static void sends_of(struct status_queue *queue, const char *ns, const char *name)
{
	struct status_entry *entry = status_queue_next(queue, 0);

	assert_non_null(entry);
	assert_string_equal(entry->ns, ns);
	assert_string_equal(entry->name, name);
}

static void a_condition_goes_before_two_thousand_counts(void **state)
{
	have_stored(*state, "mallory", 2000);
	have_stored(*state, "alice", 1);
	counts_change(*state, "mallory", 2000);
	for (int i = 0; i < STATUS_COUNTS_MAX; i++)
		assert_string_equal(status_queue_next(*state, 0)->ns, "mallory");
	sends_nothing(*state, 0);
	want_status(*state, "alice", "p0", 0, "True");
	sends_of(*state, "alice", "p0");
	want_status(*state, "mallory", "p1999", 1, "True");
	sends_of(*state, "mallory", "p1999");
	sends_nothing(*state, 0);
}

static void a_count_that_becomes_a_condition_moves_ahead(void **state)
{
	have_stored(*state, "alice", 10);
	counts_change(*state, "alice", 10);
	want_status(*state, "alice", "p7", 1, "True");
	sends_of(*state, "alice", "p7");
	sends_of(*state, "alice", "p0");
}

static void namespaces_take_turns(void **state)
{
	static const char *const lane[] = { "False", "True" }; /* counts, conditions */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lane); i++) {
		struct status_queue *queue = status_queue_new(on_drop);
		char name[16];

		have_stored(queue, "mallory", 2000);
		have_stored(queue, "alice", 2);
		have_stored(queue, "bob", 1);
		for (int n = 0; n < 2000; n++) {
			snprintf(name, sizeof(name), "p%d", n);
			want_status(queue, "mallory", name, 1, lane[i]);
		}
		sends_of(queue, "mallory", "p0");
		for (int n = 0; n < 2; n++) {
			snprintf(name, sizeof(name), "p%d", n);
			want_status(queue, "alice", name, 1, lane[i]);
		}
		want_status(queue, "bob", "p0", 1, lane[i]);
		done(queue, status_queue_next(queue, 0), STATUS_STORED);
		sends_of(queue, "alice", "p0");
		sends_of(queue, "bob", "p0");
		done(queue, status_queue_next(queue, 0), STATUS_STORED);
		sends_of(queue, "alice", "p1");
		status_queue_free(queue);
	}
}

static void a_namespace_without_objects_is_forgotten_and_may_come_again(void **state)
{
	have_stored(*state, "alice", 1);
	counts_change(*state, "alice", 1);
	status_queue_forget(*state, OBJECT_POLICY, "alice", "p0");
	sends_nothing(*state, 0);
	want_status(*state, "alice", "p0", 3, "False");
	sends_of(*state, "alice", "p0");
	status_queue_forget(*state, OBJECT_POLICY, "alice", "p0");
	assert_int_equal(dropped, 1);
	sends_nothing(*state, 0);
}

/* Whatever is wanted in whatever order: nothing is lost, nothing is sent twice, and no namespace waits for more than one
 * of each other one. */
static void nobody_waits_for_more_than_one_of_each_other(void **state)
{
	static const char *const ns[] = { "a", "b", "c", "d" };
	int left[ARRAY_SIZE(ns)] = { 700, 1, 30, 200 }, sent[ARRAY_SIZE(ns)] = { 0 };
	struct status_entry *entry;
	int waited[ARRAY_SIZE(ns)] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(ns); i++)
		have_stored(*state, ns[i], left[i]);
	for (size_t i = 0; i < ARRAY_SIZE(ns); i++)
		counts_change(*state, ns[i], left[i]);
	while ((entry = status_queue_next(*state, 0))) {
		size_t who = (size_t)(entry->ns[0] - 'a');

		assert_int_equal(value_of(entry->sent), 1);
		for (size_t i = 0; i < ARRAY_SIZE(ns); i++)
			if (i != who && sent[i] < left[i])
				assert_in_range(++waited[i], 1, ARRAY_SIZE(ns) - 1);
		waited[who] = 0;
		sent[who]++;
		done(*state, entry, STATUS_STORED);
	}
	assert_memory_equal(sent, left, sizeof(sent));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_condition_goes_before_two_thousand_counts),
		T(a_count_that_becomes_a_condition_moves_ahead),
		T(namespaces_take_turns),
		T(a_namespace_without_objects_is_forgotten_and_may_come_again),
		T(nobody_waits_for_more_than_one_of_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
