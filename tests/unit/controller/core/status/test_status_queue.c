/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/controller/core/status/queue_rig.h"

static bool want_as(struct status_queue *queue, const char *name, const char *uid, int value,
		    bool urgent)
{
	struct object object = named(name, uid);
	json_t *status = json_pack("{si}", "value", value);
	bool there = status_queue_want(queue, &object, status, urgent);

	json_decref(status);
	return there;
}

static bool want(struct status_queue *queue, const char *name, int value)
{
	return want_as(queue, name, name, value, false);
}

static void what_is_wanted_is_sent_once_and_then_there(void **state)
{
	assert_false(want(*state, "a", 1));
	assert_false(want(*state, "a", 1));
	done(*state, sends(*state, 0, "a", 1), STATUS_STORED);
	sends_nothing(*state, 0);
	assert_true(want(*state, "a", 1));
	sends_nothing(*state, 0);
}

static void the_latest_wins_and_waits_for_the_one_under_way(void **state)
{
	struct status_entry *entry;

	want(*state, "a", 1);
	entry = sends(*state, 0, "a", 1);
	want(*state, "a", 2);
	want(*state, "a", 3);
	sends_nothing(*state, 0);
	done(*state, entry, STATUS_STORED);
	done(*state, sends(*state, 0, "a", 3), STATUS_STORED);
	sends_nothing(*state, 0);
}

static void back_to_what_is_under_way_sends_nothing_more(void **state)
{
	struct status_entry *entry;

	want(*state, "a", 1);
	entry = sends(*state, 0, "a", 1);
	want(*state, "a", 2);
	assert_false(want(*state, "a", 1));
	done(*state, entry, STATUS_STORED);
	sends_nothing(*state, 0);
}

static void what_the_api_has_already_is_not_sent(void **state)
{
	struct object object = named("a", "a");
	json_t *status = json_pack("{si}", "value", 7);

	status_queue_learn(*state, &object, status, "1", 0);
	assert_true(want(*state, "a", 7));
	assert_int_equal(value_of(status_queue_stored(*state, &object)), 7);
	json_decref(status);
}

static void an_echo_of_an_older_write_is_no_news(void **state)
{
	struct object object = named("a", "a");
	json_t *old = json_pack("{si}", "value", 1);

	want(*state, "a", 2);
	done(*state, sends(*state, 0, "a", 2), STATUS_STORED);
	status_queue_learn(*state, &object, old, "1", 0);
	assert_int_equal(value_of(status_queue_stored(*state, &object)), 2);
	json_decref(old);
}

static void what_fails_is_tried_again_later_unless_something_newer_is_wanted(void **state)
{
	struct status_entry *entry;
	int64_t wake_ns;

	want(*state, "a", 1);
	done(*state, sends(*state, 0, "a", 1), STATUS_FAILED);
	sends_nothing(*state, 0);
	wake_ns = status_queue_wake_ns(*state);
	assert_in_range(wake_ns, 1, STATUS_RETRY_FIRST_NS + SECOND);
	want(*state, "a", 2);
	sends_nothing(*state, wake_ns - 1);
	entry = sends(*state, wake_ns, "a", 2);
	assert_true(status_queue_wake_ns(*state) == INT64_MAX);
	done(*state, entry, STATUS_STORED);
	sends_nothing(*state, wake_ns);
}

static void what_has_become_true_by_itself_is_not_tried_again(void **state)
{
	want(*state, "a", 1);
	done(*state, sends(*state, 0, "a", 1), STATUS_STORED);
	want(*state, "a", 2);
	done(*state, sends(*state, 0, "a", 2), STATUS_UNANSWERED);
	assert_true(want(*state, "a", 1));
	sends_nothing(*state, 3600 * SECOND);
}

static void what_is_gone_is_tried_again_until_it_is_forgotten(void **state)
{
	want(*state, "a", 1);
	done(*state, sends(*state, 0, "a", 1), STATUS_GONE);
	done(*state, sends(*state, 3600 * SECOND, "a", 1), STATUS_GONE);
	assert_true(status_queue_retries(*state));
	status_queue_forget(*state, OBJECT_POLICY, "payments", "a");
	assert_false(status_queue_retries(*state));
	sends_nothing(*state, 3600 * SECOND);
}

static void an_api_that_is_away_is_asked_every_few_seconds(void **state)
{
	for (int i = 0; i < 20; i++) {
		int64_t at_ns = i ? status_queue_wake_ns(*state) : 0;

		if (!i)
			want(*state, "a", 1);
		status_queue_done(*state, sends(*state, at_ns, "a", 1), STATUS_UNANSWERED, NULL,
				  at_ns, UINT64_MAX);
		assert_in_range(status_queue_wake_ns(*state) - at_ns, 1,
				STATUS_UNANSWERED_LAST_NS + SECOND);
	}
}

static void few_are_under_way_and_clocks_go_first(void **state)
{
	char name[16];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		want(*state, name, i);
	}
	for (int i = 0; i < STATUS_SENDS_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		sends(*state, 0, name, i);
	}
	sends_nothing(*state, 0);
	want_as(*state, "boost", "boost", 1, true);
	want_as(*state, "p50", "p50", 51, true);
	sends(*state, 0, "boost", 1);
	sends(*state, 0, "p50", 51);
	sends_nothing(*state, 0);
}

static void another_object_of_the_name_has_nothing_of_the_first(void **state)
{
	struct object second = named("a", "second");

	want_as(*state, "a", "first", 1, false);
	sends(*state, 0, "a", 1);
	assert_null(status_queue_stored(*state, &second));
	assert_int_equal(dropped, 1);
	assert_false(want_as(*state, "a", "second", 1, false));
	assert_string_equal(sends(*state, 0, "a", 1)->uid, "second");
}

static void what_is_forgotten_is_dropped_and_makes_room(void **state)
{
	char name[16];

	for (int i = 0; i <= STATUS_SENDS_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		want(*state, name, i);
	}
	for (int i = 0; i < STATUS_SENDS_MAX; i++)
		assert_non_null(status_queue_next(*state, 0));
	sends_nothing(*state, 0);
	status_queue_forget(*state, OBJECT_POLICY, "payments", "p0");
	status_queue_forget(*state, OBJECT_POLICY, "payments", "nobody");
	assert_int_equal(dropped, 1);
	sends(*state, 0, name, STATUS_SENDS_MAX);
}

/* No answer came, or a bad one: the API may have it all the same. */
static void what_may_have_been_stored_is_taken_back_by_another_write(void **state)
{
	want(*state, "a", 1);
	done(*state, sends(*state, 0, "a", 1), STATUS_STORED);
	want(*state, "a", 2);
	done(*state, sends(*state, 0, "a", 2), STATUS_FAILED);
	assert_false(want(*state, "a", 1));
	done(*state, sends(*state, 60 * SECOND, "a", 1), STATUS_STORED);
	assert_true(want(*state, "a", 1));
	sends_nothing(*state, 120 * SECOND);
}

/* Linear lists would take minutes. */
static void twenty_thousand_take_no_longer_each_than_one(void **state)
{
	char name[16];
	int sent = 0;

	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		want(*state, name, i);
	}
	for (struct status_entry *entry; (entry = status_queue_next(*state, 0)); sent++)
		status_queue_done(*state, entry, STATUS_FAILED, NULL, 0, (uint64_t)sent << 40);
	assert_int_equal(sent, 20000);
	for (struct status_entry *entry; (entry = status_queue_next(*state, 60 * SECOND)); sent--)
		done(*state, entry, STATUS_STORED);
	assert_int_equal(sent, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_wanted_is_sent_once_and_then_there),
		T(the_latest_wins_and_waits_for_the_one_under_way),
		T(back_to_what_is_under_way_sends_nothing_more),
		T(what_the_api_has_already_is_not_sent),
		T(an_echo_of_an_older_write_is_no_news),
		T(what_fails_is_tried_again_later_unless_something_newer_is_wanted),
		T(what_has_become_true_by_itself_is_not_tried_again),
		T(what_is_gone_is_tried_again_until_it_is_forgotten),
		T(an_api_that_is_away_is_asked_every_few_seconds),
		T(few_are_under_way_and_clocks_go_first),
		T(another_object_of_the_name_has_nothing_of_the_first),
		T(what_is_forgotten_is_dropped_and_makes_room),
		T(what_may_have_been_stored_is_taken_back_by_another_write),
		T(twenty_thousand_take_no_longer_each_than_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
