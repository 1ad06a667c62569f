/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "controller/core/session/door.h"

#define NOW (100 * NSEC_PER_SEC)

static struct door_visitor room[DOOR_MAX];

static void put(size_t i, uint8_t host, bool silent, int64_t age_ms)
{
	const uint8_t address[4] = { 10, 0, 0, host };

	room[i] =
		(struct door_visitor){ .since_ns = NOW - age_ms * NSEC_PER_MSEC, .silent = silent };
	door_address(address, sizeof(address), room[i].address);
}

static void fill(uint8_t host, bool silent, int64_t age_ms)
{
	for (size_t i = 0; i < DOOR_MAX; i++)
		put(i, host, silent, age_ms);
}

/* The first of those who have to go, or -1. */
static ssize_t first_out(size_t nr)
{
	size_t who[DOOR_TURN_OUT];

	return door_crowded_out(room, nr, NOW, who) ? (ssize_t)who[0] : -1;
}

static void a_few_handshakes_go_on_at_a_time(void **state)
{
	(void)state;
	fill(1, false, 10);
	assert_true(door_has_room(room, 0));
	assert_true(door_has_room(room, DOOR_BUSY_MAX - 1));
	assert_false(door_has_room(room, DOOR_BUSY_MAX));
}

static void who_is_silent_or_leaves_keeps_nobody_out(void **state)
{
	(void)state;
	fill(1, true, 10);
	assert_true(door_has_room(room, DOOR_MAX - 1));
	assert_false(door_has_room(room, DOOR_MAX));
	fill(1, false, 10);
	for (size_t i = 0; i < DOOR_MAX; i++)
		room[i].leaving = true;
	assert_true(door_has_room(room, DOOR_MAX - 1));
}

static void nobody_has_to_go_while_there_is_room(void **state)
{
	(void)state;
	fill(1, true, 9000);
	assert_int_equal(first_out(DOOR_MAX - 1), -1);
}

static void who_was_silent_longest_has_to_go(void **state)
{
	(void)state;
	fill(1, true, 2000);
	room[0].silent = false;
	room[1].leaving = true;
	assert_int_equal(first_out(DOOR_MAX), 2);
}

static void who_has_just_come_or_talks_may_stay(void **state)
{
	(void)state;
	fill(1, true, 499);
	assert_int_equal(first_out(DOOR_MAX), -1);
	fill(1, false, 9000);
	assert_int_equal(first_out(DOOR_MAX), -1);
}

static void who_opens_many_loses_his_own(void **state)
{
	(void)state;
	fill(2, true, 1000);
	put(0, 1, true, 9000);
	put(1, 1, true, 9000);
	put(2, 3, true, 9000);
	assert_int_equal(first_out(DOOR_MAX), 3);
}

static void as_many_go_as_bring_the_addresses_level(void **state)
{
	size_t who[DOOR_TURN_OUT], of_the_first = 0;

	(void)state;
	fill(1, true, 1000);
	for (size_t i = 0; i < DOOR_MAX / 2; i++)
		put(2 * i, 2, true, 1000);
	assert_int_equal(door_crowded_out(room, DOOR_MAX, NOW, who), DOOR_TURN_OUT);
	for (size_t i = 0; i < DOOR_TURN_OUT; i++)
		of_the_first += who[i] % 2;
	assert_int_equal(of_the_first, DOOR_TURN_OUT / 2);
}

static void a_network_of_ipv6_is_one_address(void **state)
{
	const uint8_t one[16] = { 0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 1, 1, 1, 1, 1, 1, 1, 1 };
	const uint8_t two[16] = { 0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 2, 2, 2, 2, 2, 2, 2, 2 };
	uint8_t a[DOOR_ADDRESS_BYTES], b[DOOR_ADDRESS_BYTES];

	(void)state;
	door_address(one, sizeof(one), a);
	door_address(two, sizeof(two), b);
	assert_memory_equal(a, b, sizeof(a));
}

static void time_is_over_for_those_who_talk_too(void **state)
{
	(void)state;
	fill(1, false, 4999);
	assert_int_equal(door_late(room, 4, NOW), -1);
	put(2, 1, false, 5000);
	assert_int_equal(door_late(room, 4, NOW), 2);
	room[2].leaving = true;
	assert_int_equal(door_late(room, 4, NOW), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_few_handshakes_go_on_at_a_time),
		cmocka_unit_test(who_is_silent_or_leaves_keeps_nobody_out),
		cmocka_unit_test(nobody_has_to_go_while_there_is_room),
		cmocka_unit_test(who_was_silent_longest_has_to_go),
		cmocka_unit_test(who_has_just_come_or_talks_may_stay),
		cmocka_unit_test(who_opens_many_loses_his_own),
		cmocka_unit_test(as_many_go_as_bring_the_addresses_level),
		cmocka_unit_test(a_network_of_ipv6_is_one_address),
		cmocka_unit_test(time_is_over_for_those_who_talk_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
