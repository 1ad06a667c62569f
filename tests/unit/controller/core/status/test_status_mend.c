/* SPDX-License-Identifier: Apache-2.0 */

/* What another writes over a status of ours, or removes. */

#include "tests/unit/controller/core/status/queue_rig.h"

static void want(struct status_queue *queue, int value)
{
	struct object object = named("a", "a");
	json_t *status = json_pack("{si}", "value", value);

	(void)!status_queue_want(queue, &object, status, false);
	json_decref(status);
}

/* The API says: the object has this version and this status; 0 = none. */
static void comes(struct status_queue *queue, const char *version, int value, int64_t now_ns)
{
	struct object object = named("a", "a");
	json_t *status = value ? json_pack("{si}", "value", value) : NULL;

	status_queue_learn(queue, &object, status, version, now_ns);
	json_decref(status);
}

/* What is sent now is `value`, and becomes `version`. */
static void writes(struct status_queue *queue, int64_t now_ns, int value, const char *version)
{
	status_queue_done(queue, sends(queue, now_ns, "a", value), STATUS_STORED, version, now_ns,
			  0);
}

static void what_another_writes_or_removes_is_written_again(void **state)
{
	want(*state, 7);
	writes(*state, 0, 7, "10");
	comes(*state, "11", 3, SECOND);
	writes(*state, SECOND, 7, "12");
	comes(*state, "13", 0, 3600 * SECOND);
	writes(*state, 3600 * SECOND, 7, "14");
	sends_nothing(*state, 7200 * SECOND);
}

static void our_own_writes_and_what_came_before_are_no_news(void **state)
{
	want(*state, 1);
	writes(*state, 0, 1, "10");
	want(*state, 2);
	writes(*state, 0, 2, "12");
	comes(*state, "9", 0, SECOND);
	comes(*state, "10", 1, SECOND);
	comes(*state, "11", 5, SECOND);
	comes(*state, "12", 2, SECOND);
	sends_nothing(*state, 3600 * SECOND);
}

static void an_edit_of_something_else_is_no_news(void **state)
{
	want(*state, 1);
	writes(*state, 0, 1, "10");
	for (char version[] = "11"; version[1] < '9'; version[1]++)
		comes(*state, version, 1, SECOND);
	sends_nothing(*state, 3600 * SECOND);
}

static void what_comes_during_a_write_is_judged_by_its_answer(void **state)
{
	struct status_entry *entry;

	want(*state, 1);
	writes(*state, 0, 1, "10");
	want(*state, 2);
	entry = sends(*state, 0, "a", 2);
	comes(*state, "11", 5, 0); /* before ours */
	status_queue_done(*state, entry, STATUS_STORED, "12", 0, 0);
	sends_nothing(*state, 3600 * SECOND);
	want(*state, 3);
	entry = sends(*state, 0, "a", 3);
	comes(*state, "14", 5, 0); /* after ours */
	status_queue_done(*state, entry, STATUS_STORED, "13", 0, 0);
	writes(*state, 0, 3, "15");
	sends_nothing(*state, 3600 * SECOND);
}

static void what_is_wanted_meanwhile_goes_instead(void **state)
{
	want(*state, 1);
	writes(*state, 0, 1, "10");
	comes(*state, "11", 0, SECOND);
	want(*state, 2);
	writes(*state, SECOND, 2, "12");
	sends_nothing(*state, 3600 * SECOND);
}

static void what_becomes_right_by_itself_is_not_written(void **state)
{
	want(*state, 1);
	writes(*state, 0, 1, "10");
	comes(*state, "11", 2, SECOND);
	want(*state, 2);
	sends_nothing(*state, 3600 * SECOND);
}

static void before_anything_is_wanted_the_api_is_right(void **state)
{
	struct object object = named("a", "a");

	comes(*state, "10", 1, 0);
	comes(*state, "11", 2, 0);
	sends_nothing(*state, SECOND);
	assert_int_equal(value_of(status_queue_stored(*state, &object)), 2);
}

static void without_a_version_nothing_can_be_said(void **state)
{
	want(*state, 1);
	writes(*state, 0, 1, NULL);
	comes(*state, "11", 2, 0);
	comes(*state, NULL, 2, 0);
	sends_nothing(*state, SECOND);
}

/* Whoever fights us for an hour gets few answers. */
static void a_fight_is_not_fought_fast(void **state)
{
	int64_t now_ns = SECOND;
	unsigned int version = 100, writes_nr = 0;
	char text[16];

	want(*state, 1);
	writes(*state, 0, 1, "100");
	for (; now_ns < 3600 * SECOND; now_ns += SECOND / 2) {
		struct status_entry *entry;

		snprintf(text, sizeof(text), "%u", ++version);
		comes(*state, text, 5, now_ns);
		entry = status_queue_next(*state, now_ns);
		if (!entry)
			continue;
		snprintf(text, sizeof(text), "%u", ++version);
		status_queue_done(*state, entry, STATUS_STORED, text, now_ns, 0);
		writes_nr++;
	}
	assert_in_range(writes_nr, 3, 30);
	/* Then it is over, and ours is what stays. */
	for (struct status_entry *entry;
	     (entry = status_queue_next(*state, now_ns + 300 * SECOND));)
		status_queue_done(*state, entry, STATUS_STORED, "99999", now_ns, 0);
	comes(*state, "99999", 1, now_ns);
	sends_nothing(*state, now_ns + 3600 * SECOND);
}

static void something_to_send_is_busy(void **state)
{
	assert_false(status_queue_busy(*state));
	want(*state, 1);
	assert_true(status_queue_busy(*state));
	status_queue_done(*state, sends(*state, 0, "a", 1), STATUS_FAILED, NULL, 0, 0);
	assert_false(status_queue_busy(*state)); /* it waits for its next try */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_another_writes_or_removes_is_written_again),
		T(our_own_writes_and_what_came_before_are_no_news),
		T(an_edit_of_something_else_is_no_news),
		T(what_comes_during_a_write_is_judged_by_its_answer),
		T(what_is_wanted_meanwhile_goes_instead),
		T(what_becomes_right_by_itself_is_not_written),
		T(before_anything_is_wanted_the_api_is_right),
		T(without_a_version_nothing_can_be_said),
		T(a_fight_is_not_fought_fast),
		T(something_to_send_is_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
