/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controller/core/object/clock.h"
#include "lib/core/base.h"
#include "lib/core/text/rfc3339.h"

#define SECOND NSEC_PER_SEC
#define MINUTE (60 * SECOND)

static const struct instant start = { .boot_ns = 1000 * SECOND + 1234567,
				      .wall_s = 1767225600,
				      .boot_id = "boot-1" };

/* The status of a boost of 15 minutes that began at `start`, of generation 3. */
static json_t *stored(void)
{
	struct boost_clock clock;
	json_t *status = json_pack("{s:i}", "observedGeneration", 3);

	clock_start(&clock, 3, 15 * MINUTE, &start);
	clock_to_status(&clock, status);
	return status;
}

static void a_boost_is_active_from_when_it_is_stored_until_its_end(void **state)
{
	struct boost_clock clock;

	(void)state;
	clock_start(&clock, 3, 15 * MINUTE, &start);
	assert_false(clock_active(&clock, start.boot_ns));
	clock.durable = true;
	assert_true(clock_active(&clock, start.boot_ns));
	assert_true(clock_active(&clock, clock.end_ns - 1));
	assert_false(clock_active(&clock, clock.end_ns));
	assert_true(clock_expired(&clock, clock.end_ns));
	assert_int_equal(clock.expires_s - clock.active_since_s, 15 * 60);
}

static void a_restarted_controller_continues_by_boot_time(void **state)
{
	/* The wall clock jumped by an hour in between; nothing changes. */
	struct instant now = { .boot_ns = start.boot_ns + 5 * MINUTE,
			       .wall_s = start.wall_s + 3600,
			       .boot_id = "boot-1" };
	json_t *status = stored();
	struct boost_clock before, clock;

	(void)state;
	clock_start(&before, 3, 15 * MINUTE, &start);
	assert_true(clock_restore(&clock, status, 3, 15 * MINUTE, &now));
	assert_true(clock.durable);
	assert_int_equal(clock.start_ns, before.start_ns);
	assert_int_equal(clock.end_ns, before.end_ns);
	assert_int_equal(clock.active_since_s, before.active_since_s);
	json_decref(status);
}

static void on_another_boot_the_wall_clock_decides(void **state)
{
	struct instant now = { .boot_ns = 7 * SECOND,
			       .wall_s = start.wall_s + 300,
			       .boot_id = "boot-2" };
	json_t *status = stored();
	struct boost_clock clock;

	(void)state;
	assert_true(clock_restore(&clock, status, 3, 15 * MINUTE, &now));
	assert_int_equal(clock.end_ns, now.boot_ns + 10 * MINUTE);
	now.wall_s = start.wall_s + 3600;
	assert_true(clock_restore(&clock, status, 3, 15 * MINUTE, &now));
	assert_true(clock_expired(&clock, now.boot_ns));
	json_decref(status);
}

static void a_wall_clock_set_back_does_not_lengthen_a_boost(void **state)
{
	struct instant now = { .boot_ns = 7 * SECOND, .wall_s = 0, .boot_id = "boot-2" };
	json_t *status = stored();
	struct boost_clock clock;

	(void)state;
	assert_true(clock_restore(&clock, status, 3, 15 * MINUTE, &now));
	assert_int_equal(clock.end_ns, now.boot_ns + 15 * MINUTE);
	json_decref(status);
}

static void an_edited_boost_starts_again(void **state)
{
	json_t *status = stored();
	struct boost_clock clock = { 0 };

	(void)state;
	assert_false(clock_restore(&clock, status, 4, 15 * MINUTE, &start));
	assert_false(clock_restore(&clock, NULL, 3, 15 * MINUTE, &start));
	assert_int_equal(clock.generation, 0);
	json_decref(status);
}

static void a_status_that_lies_is_not_followed_beyond_the_duration(void **state)
{
	json_t *status = stored();
	struct boost_clock clock;

	(void)state;
	json_object_set_new(json_object_get(status, "clock"), "endMs", json_integer(INT64_MAX));
	json_object_set_new(status, "expiresAt", json_string("2999-01-01T00:00:00Z"));
	assert_true(clock_restore(&clock, status, 3, 15 * MINUTE, &start));
	assert_true(clock.end_ns <= start.boot_ns + 15 * MINUTE);
	assert_int_equal(clock.expires_s, start.wall_s + 15 * 60);
	assert_true(clock_restore(&clock, status, 3, MINUTE, &start));
	assert_true(clock.end_ns <= start.boot_ns + MINUTE);
	json_decref(status);
}

/* Told by a wall clock that ran weeks ahead. */
static void a_run_from_the_future_begins_now_and_only_once(void **state)
{
	struct instant now = { .boot_ns = 7 * SECOND,
			       .wall_s = start.wall_s - 20LL * 24 * 3600,
			       .boot_id = "boot-2" };
	json_t *status = stored();
	struct boost_clock clock;

	(void)state;
	assert_true(clock_restore(&clock, status, 3, 15 * MINUTE, &now));
	assert_false(clock.durable);
	assert_int_equal(clock.end_ns, now.boot_ns + 15 * MINUTE);
	assert_int_equal(clock.expires_s, now.wall_s + 15 * 60);
	clock_to_status(&clock, status);
	now.wall_s += 600;
	memcpy(now.boot_id, "boot-3", sizeof("boot-3"));
	assert_true(clock_restore(&clock, status, 3, 15 * MINUTE, &now));
	assert_true(clock.durable);
	assert_int_equal(clock.end_ns, now.boot_ns + 5 * MINUTE);
	json_decref(status);
}

static void a_run_that_began_before_this_boot_is_found_again_by_its_clock(void **state)
{
	struct instant now = { .boot_ns = 7 * SECOND,
			       .wall_s = start.wall_s + 300,
			       .boot_id = "boot-2" };
	json_t *status = stored();
	struct boost_clock clock, again;

	(void)state;
	assert_true(clock_restore(&clock, status, 3, 15 * MINUTE, &now));
	assert_true(clock.start_ns < 0);
	clock_to_status(&clock, status);
	now.boot_ns += 60 * SECOND;
	now.wall_s -= 3600;
	assert_true(clock_restore(&again, status, 3, 15 * MINUTE, &now));
	assert_int_equal(again.start_ns, clock.start_ns);
	assert_int_equal(again.end_ns, clock.end_ns);
	json_decref(status);
}

static void a_limit_shortens_and_never_lengthens(void **state)
{
	struct boost_clock clock;

	(void)state;
	clock_start(&clock, 3, 15 * MINUTE, &start);
	assert_false(clock_clamp(&clock, INT64_MAX));
	assert_true(clock_clamp(&clock, 5 * MINUTE));
	assert_int_equal(clock.end_ns - clock.start_ns, 5 * MINUTE);
	assert_int_equal(clock.expires_s - clock.active_since_s, 300);
	assert_false(clock_clamp(&clock, 5 * MINUTE));
	assert_false(clock_clamp(&clock, 10 * MINUTE));
}

static void check_time(const char *text, int64_t wall_s)
{
	int64_t parsed = -1;

	assert_int_equal(rfc3339_parse(text, &parsed), 0);
	assert_int_equal(parsed, wall_s);
}

static void times_are_read_and_written_as_kubernetes_does(void **state)
{
	char text[RFC3339_MAX];
	int64_t wall_s;

	(void)state;
	rfc3339_format(1767225600, text);
	assert_string_equal(text, "2026-01-01T00:00:00Z");
	check_time("2026-01-01T00:00:00Z", 1767225600);
	check_time("2026-01-01T01:00:00.123456+01:00", 1767225600);
	check_time("2025-12-31T22:30:00-01:30", 1767225600);
	assert_true(rfc3339_parse("2026-01-01", &wall_s) < 0);
	assert_true(rfc3339_parse("2026-01-01T00:00:00", &wall_s) < 0);
	assert_true(rfc3339_parse("2026-01-01T00:00:00Zx", &wall_s) < 0);
	rfc3339_format(INT64_MIN, text);
	assert_string_equal(text, "0000-01-01T00:00:00Z");
	rfc3339_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_boost_is_active_from_when_it_is_stored_until_its_end),
		cmocka_unit_test(a_restarted_controller_continues_by_boot_time),
		cmocka_unit_test(on_another_boot_the_wall_clock_decides),
		cmocka_unit_test(a_wall_clock_set_back_does_not_lengthen_a_boost),
		cmocka_unit_test(an_edited_boost_starts_again),
		cmocka_unit_test(a_status_that_lies_is_not_followed_beyond_the_duration),
		cmocka_unit_test(a_run_from_the_future_begins_now_and_only_once),
		cmocka_unit_test(a_run_that_began_before_this_boot_is_found_again_by_its_clock),
		cmocka_unit_test(a_limit_shortens_and_never_lengthens),
		cmocka_unit_test(times_are_read_and_written_as_kubernetes_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
