/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/core/object/clock.h"
#include "lib/core/text/rfc3339.h"
#include "tests/unit/controller/world.h"

/* No stored status, whoever wrote it, ends a boost later than its spec says. */

#define RUNS 20000
#define SECOND NSEC_PER_SEC
#define DAY_S (24 * 3600)
#define EPOCH_S 1767225600
#define GENERATION 7

static const char *const boots[] = { "boot-1", "boot-2" };

static struct instant random_instant(struct random *random)
{
	struct instant now = { .boot_ns = random_below(random, 3 * DAY_S) * SECOND +
					  random_below(random, SECOND),
			       .wall_s = EPOCH_S + random_below(random, 60 * DAY_S) };

	snprintf(now.boot_id, sizeof(now.boot_id), "%s", boots[random_below(random, 2)]);
	return now;
}

/* 10 s to 24 h, any nanosecond. */
static int64_t random_duration(struct random *random)
{
	return 10 * SECOND + random_below(random, DAY_S - 10) * SECOND +
	       random_below(random, SECOND);
}

/* A number that somebody may think of: near the true one, far from it, impossible. */
static int64_t random_number(struct random *random, int64_t near)
{
	static const int64_t extreme[] = { 0, -1, INT64_MIN, INT64_MAX, 1000LL * DAY_S };

	if (random_chance(random, 15))
		return extreme[random_below(random, ARRAY_SIZE(extreme))];
	return near + (int64_t)random_below(random, 4 * DAY_S) - 2 * DAY_S;
}

static json_t *random_time(struct random *random, int64_t near_s)
{
	char text[RFC3339_MAX];

	if (random_chance(random, 3))
		return json_string("soon");
	if (random_chance(random, 3))
		return json_integer(near_s);
	rfc3339_format(random_number(random, near_s), text);
	return json_string(text);
}

/* What is true, with some of it changed. */
static json_t *random_status(struct random *random, const struct instant *now, int64_t duration_ns)
{
	struct instant begun = random_chance(random, 50) ? *now : random_instant(random);
	struct boost_clock clock;
	json_t *status = json_pack("{s:i}", "observedGeneration", GENERATION), *inner;

	clock_start(&clock, GENERATION, duration_ns, &begun);
	clock_to_status(&clock, status);
	inner = json_object_get(status, "clock");
	if (random_chance(random, 40))
		set(status, "activeSince", random_time(random, now->wall_s));
	if (random_chance(random, 40))
		set(status, "expiresAt", random_time(random, now->wall_s));
	if (random_chance(random, 40))
		set(inner, "startMs",
		    json_integer(random_number(random, now->boot_ns / NSEC_PER_MSEC)));
	if (random_chance(random, 40))
		set(inner, "endMs",
		    json_integer(random_number(random, now->boot_ns / NSEC_PER_MSEC)));
	if (random_chance(random, 10))
		json_object_del(status, "clock");
	return status;
}

static void assert_bounded(const struct boost_clock *clock, int64_t duration_ns,
			   const struct instant *now)
{
	assert_true(clock->start_ns <= clock->end_ns);
	assert_true(clock->start_ns <= now->boot_ns);
	assert_true(clock->end_ns - clock->start_ns <= duration_ns);
	assert_true(clock->end_ns <= now->boot_ns + duration_ns);
	assert_true(clock->active_since_s <= now->wall_s);
	assert_true(clock->expires_s <= clock->active_since_s + duration_ns / SECOND);
}

static void no_status_ends_a_boost_later_than_its_spec_says(void **state)
{
	struct random random = { 1 };
	size_t restored = 0;

	(void)state;
	for (size_t i = 0; i < RUNS; i++) {
		struct instant now = random_instant(&random);
		int64_t duration_ns = random_duration(&random), max_ns = random_duration(&random);
		json_t *status = random_status(&random, &now, duration_ns);
		struct boost_clock clock = { 0 };

		if (clock_restore(&clock, status, GENERATION, duration_ns, &now)) {
			restored++;
			assert_bounded(&clock, duration_ns, &now);
			clock_clamp(&clock, max_ns);
			assert_bounded(&clock, MIN(max_ns, duration_ns), &now);
		} else {
			assert_int_equal(clock.generation, 0);
		}
		assert_false(clock_restore(&clock, status, GENERATION + 1, duration_ns, &now));
		json_decref(status);
	}
	assert_true(restored > RUNS / 3);
}

/* Controllers that come and go on hosts of their own, with clocks that tell the time. */
static void a_boost_that_moves_between_hosts_ends_when_it_said(void **state)
{
	struct random random = { 2 };

	(void)state;
	for (size_t i = 0; i < RUNS / 10; i++) {
		const int64_t host_ns[] = { random_below(&random, DAY_S) * SECOND,
					    random_below(&random, DAY_S) * SECOND };
		int64_t duration_ns = random_duration(&random), t_ns = 0;
		struct instant now = { .boot_ns = host_ns[0],
				       .wall_s = EPOCH_S,
				       .boot_id = "boot-1" };
		json_t *status = json_pack("{s:i}", "observedGeneration", GENERATION);
		struct boost_clock clock;

		clock_start(&clock, GENERATION, duration_ns, &now);
		for (size_t move = 0; move < 5; move++) {
			size_t host = random_below(&random, 2);

			clock_to_status(&clock, status);
			t_ns += random_below(&random, DAY_S / 10) * SECOND;
			now.boot_ns = host_ns[host] + t_ns;
			now.wall_s = EPOCH_S + t_ns / SECOND;
			snprintf(now.boot_id, sizeof(now.boot_id), "%s", boots[host]);
			assert_true(clock_restore(&clock, status, GENERATION, duration_ns, &now));
			assert_true(clock.durable);
			if (t_ns < duration_ns) {
				assert_true(clock.end_ns - host_ns[host] <= duration_ns);
				assert_true(clock.end_ns - host_ns[host] >
					    duration_ns - 7 * SECOND);
			} else {
				assert_true(clock_expired(&clock, now.boot_ns));
			}
		}
		json_decref(status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_status_ends_a_boost_later_than_its_spec_says),
		cmocka_unit_test(a_boost_that_moves_between_hosts_ends_when_it_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
