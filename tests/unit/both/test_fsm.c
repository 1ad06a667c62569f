/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/core/plan/client_fsm.h"
#include "controller/core/session/hub_fsm.h"
#include "tests/unit/both/fsm_rig.h"

static void ready(struct hub_fsm *fsm)
{
	hub_fsm_init(fsm, TTL_MS);
	hub_fsm_connect(fsm, 0);
	hub_fsm_hello(fsm, "", true);
	assert_int_equal(hub_fsm_take(fsm, false, 0), HUB_SEND_SESSION);
}

static enum hub_verdict answer(struct hub_fsm *fsm, enum control_reason reason, int64_t now_ns)
{
	struct control_applied applied = { .gen = fsm->gen,
					   .result = reason ? CONTROL_FAILED : CONTROL_OK,
					   .reason = reason };

	memcpy(applied.hash, fsm->inflight_hash, sizeof(applied.hash));
	memcpy(applied.have, fsm->have, sizeof(applied.have));
	return hub_fsm_answer(fsm, &applied, now_ns);
}

/* The agent has this content, which was wanted first. */
static void ready_with(struct hub_fsm *fsm, unsigned content)
{
	ready(fsm);
	hub_fsm_want(fsm, hash_of(content), false, false, HUB_LANE_NOW, 0);
	hub_fsm_take(fsm, false, 0);
	answer(fsm, CONTROL_REASON_NONE, 0);
}

static void a_boost_goes_out_at_once_and_takes_waiting_churn_along(void **state)
{
	struct hub_fsm fsm;

	(void)state;
	ready(&fsm);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_CHURN, 0);
	assert_int_equal(hub_fsm_take(&fsm, false, 100 * MS), HUB_SEND_NOTHING);
	hub_fsm_want(&fsm, hash_of(2), false, false, HUB_LANE_NOW, 100 * MS);
	assert_int_equal(hub_fsm_take(&fsm, false, 100 * MS), HUB_SEND_FULL);
	assert_string_equal(fsm.inflight_hash, hash_of(2));
}

static void edits_wait_for_25_ms_of_quiet_but_never_longer_than_100_ms(void **state)
{
	struct hub_fsm fsm;
	int64_t now = 0;

	(void)state;
	ready(&fsm);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_EDIT, 0);
	assert_false(hub_fsm_wants_write(&fsm, 24 * MS));
	assert_true(hub_fsm_wants_write(&fsm, 25 * MS));
	assert_int_equal(hub_fsm_wake_ns(&fsm, 0), 25 * MS);
	for (unsigned i = 2; now < 100 * MS; i++, now += 10 * MS)
		hub_fsm_want(&fsm, hash_of(i), false, false, HUB_LANE_EDIT, now);
	assert_true(hub_fsm_wants_write(&fsm, 100 * MS));
}

static void one_plan_is_in_flight_and_the_latest_goes_next(void **state)
{
	struct hub_fsm fsm;

	(void)state;
	ready(&fsm);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_NOW, 0);
	assert_int_equal(hub_fsm_take(&fsm, false, 0), HUB_SEND_FULL);
	hub_fsm_want(&fsm, hash_of(2), false, false, HUB_LANE_NOW, 0);
	hub_fsm_want(&fsm, hash_of(3), false, false, HUB_LANE_NOW, 0);
	assert_int_equal(hub_fsm_take(&fsm, false, 0), HUB_SEND_NOTHING);
	assert_int_equal(answer(&fsm, CONTROL_REASON_NONE, 0), HUB_VERDICT_APPLIED);
	assert_int_equal(hub_fsm_take(&fsm, true, 0), HUB_SEND_DELTA);
	assert_string_equal(fsm.inflight_hash, hash_of(3));
}

static void going_back_is_not_confirmed_while_another_plan_is_in_flight(void **state)
{
	struct hub_fsm fsm;

	(void)state;
	ready_with(&fsm, 1);
	hub_fsm_want(&fsm, hash_of(2), false, false, HUB_LANE_NOW, 0);
	hub_fsm_take(&fsm, true, 0);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_NOW, 0);
	assert_int_equal(hub_fsm_state(&fsm, 0), HUB_PENDING);
	assert_int_equal(fsm.have_seq, 1);
	answer(&fsm, CONTROL_REASON_NONE, 0);
	hub_fsm_take(&fsm, true, 0);
	answer(&fsm, CONTROL_REASON_NONE, 0);
	assert_int_equal(hub_fsm_state(&fsm, 0), HUB_APPLIED);
	assert_int_equal(fsm.have_seq, 3);
}

static void it_is_known_how_much_of_what_was_wanted_is_confirmed(void **state)
{
	struct hub_fsm fsm;

	(void)state;
	ready(&fsm);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_NOW, 0);
	hub_fsm_take(&fsm, false, 0);
	hub_fsm_want(&fsm, hash_of(2), false, false, HUB_LANE_NOW, 0);
	hub_fsm_want(&fsm, hash_of(2), false, false, HUB_LANE_NOW, 0);
	assert_int_equal(fsm.wanted_seq, 2);
	assert_int_equal(fsm.have_seq, 0);
	answer(&fsm, CONTROL_REASON_NONE, 0);
	assert_int_equal(fsm.have_seq, 1);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_NOW, 0);
	assert_int_equal(fsm.have_seq, 3);
	hub_fsm_want(&fsm, hash_of(4), false, false, HUB_LANE_NOW, 0);
	hub_fsm_take(&fsm, true, 0);
	answer(&fsm, CONTROL_REASON_APPLY, 0);
	assert_int_equal(fsm.have_seq, 3);
}

static void an_agent_that_comes_back_with_something_else_has_confirmed_nothing(void **state)
{
	struct hub_fsm fsm;

	(void)state;
	ready_with(&fsm, 1);
	hub_fsm_want(&fsm, hash_of(2), false, false, HUB_LANE_NOW, 0);
	hub_fsm_connect(&fsm, 0);
	hub_fsm_hello(&fsm, hash_of(1), false);
	assert_int_equal(fsm.have_seq, 1);
	hub_fsm_hello(&fsm, hash_of(9), false);
	assert_int_equal(fsm.have_seq, 0);
	hub_fsm_hello(&fsm, hash_of(2), false);
	assert_int_equal(fsm.have_seq, 2);
}

static void a_delta_without_its_base_is_followed_by_the_full_plan(void **state)
{
	struct hub_fsm fsm;

	(void)state;
	ready(&fsm);
	memcpy(fsm.have, hash_of(9), PLAN_HASH_HEX);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_NOW, 0);
	assert_int_equal(hub_fsm_take(&fsm, true, 0), HUB_SEND_DELTA);
	assert_int_equal(answer(&fsm, CONTROL_REASON_BASE, 0), HUB_VERDICT_RETRY);
	assert_int_equal(hub_fsm_take(&fsm, true, 0), HUB_SEND_FULL);
}

static void refused_content_is_tried_again_after_five_minutes_or_by_a_new_process(void **state)
{
	struct hub_fsm fsm;

	(void)state;
	ready(&fsm);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_NOW, 0);
	assert_int_equal(hub_fsm_take(&fsm, false, 0), HUB_SEND_FULL);
	assert_int_equal(answer(&fsm, CONTROL_REASON_APPLY, 0), HUB_VERDICT_REFUSED);
	assert_int_equal(hub_fsm_state(&fsm, 0), HUB_FAILED);
	assert_false(hub_fsm_wants_write(&fsm, HUB_REFUSED_NS - 1));
	assert_int_equal(hub_fsm_wake_ns(&fsm, 0), HUB_REFUSED_NS);
	assert_true(hub_fsm_wants_write(&fsm, HUB_REFUSED_NS));
	hub_fsm_connect(&fsm, 0);
	hub_fsm_hello(&fsm, "", true);
	assert_int_equal(hub_fsm_take(&fsm, false, 0), HUB_SEND_SESSION);
	assert_int_equal(hub_fsm_take(&fsm, false, 0), HUB_SEND_FULL);
}

static void an_unanswered_plan_is_sent_once_more_then_the_agent_is_closed(void **state)
{
	struct hub_fsm fsm;

	(void)state;
	ready(&fsm);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_NOW, 0);
	assert_int_equal(hub_fsm_take(&fsm, false, 0), HUB_SEND_FULL);
	assert_int_equal(hub_fsm_tick(&fsm, HUB_ACK_NS), 0);
	assert_int_equal(hub_fsm_take(&fsm, false, HUB_ACK_NS), HUB_SEND_FULL);
	assert_int_equal(hub_fsm_tick(&fsm, 2 * HUB_ACK_NS), HUB_CLOSE_PROTOCOL);
}

static void going_back_after_an_answer_that_did_not_come_is_sent_too(void **state)
{
	struct hub_fsm fsm;

	(void)state;
	ready_with(&fsm, 1);
	hub_fsm_want(&fsm, hash_of(2), false, false, HUB_LANE_NOW, 0);
	hub_fsm_take(&fsm, true, 0);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_NOW, 0);
	assert_int_equal(hub_fsm_tick(&fsm, HUB_ACK_NS), 0);
	assert_int_equal(hub_fsm_state(&fsm, HUB_ACK_NS), HUB_PENDING);
	assert_int_equal(hub_fsm_take(&fsm, true, HUB_ACK_NS), HUB_SEND_FULL);
	assert_string_equal(fsm.inflight_hash, hash_of(1));
	answer(&fsm, CONTROL_REASON_NONE, HUB_ACK_NS);
	assert_int_equal(hub_fsm_state(&fsm, HUB_ACK_NS), HUB_APPLIED);
	assert_int_equal(hub_fsm_take(&fsm, true, HUB_ACK_NS), HUB_SEND_NOTHING);
}

/* --- the agent --- */

static void a_process_that_starts_connects_at_once(void **state)
{
	const struct control_epoch none = { 0 };
	struct client_fsm fsm;

	(void)state;
	client_fsm_init(&fsm, &none, "", 5);
	assert_int_equal(client_fsm_tick(&fsm, 5), CLIENT_DO_CONNECT);
}

static void waits_are_spread_over_what_the_session_said_then_grow(void **state)
{
	const struct control_session session = { .epoch = { 1, 1 }, .spread_ms = 12500 };
	const struct control_epoch none = { 0 };
	struct client_fsm fsm;
	int64_t now = 0;

	(void)state;
	client_fsm_init(&fsm, &none, "", 0);
	assert_int_equal(client_fsm_tick(&fsm, 0), CLIENT_DO_CONNECT);
	client_fsm_connected(&fsm, 0);
	assert_int_equal(client_fsm_session(&fsm, &session, 0), CLIENT_TAKE);
	now = 100 * NSEC_PER_SEC;
	client_fsm_lost(&fsm, false, UINT32_MAX, now);
	assert_in_range(fsm.at - now, 12400 * MS, 12500 * MS);
	for (int i = 0; i < 12; i++) {
		now = fsm.at;
		assert_int_equal(client_fsm_tick(&fsm, now), CLIENT_DO_CONNECT);
		client_fsm_lost(&fsm, i < 3, UINT32_MAX, now);
		assert_true(fsm.at - now <= 30000 * MS);
	}
	assert_true(fsm.at - now > 29000 * MS);
	client_fsm_lost(&fsm, false, 0, now);
	assert_int_equal(fsm.at, now);
}

static void a_session_must_come_within_five_seconds(void **state)
{
	const struct control_epoch none = { 0 };
	struct client_fsm fsm;

	(void)state;
	client_fsm_init(&fsm, &none, "", 0);
	assert_int_equal(client_fsm_tick(&fsm, 0), CLIENT_DO_CONNECT);
	client_fsm_connected(&fsm, 0);
	assert_int_equal(client_fsm_tick(&fsm, CLIENT_SESSION_NS - 1), CLIENT_DO_NOTHING);
	assert_int_equal(client_fsm_tick(&fsm, CLIENT_SESSION_NS), CLIENT_DO_CLOSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_boost_goes_out_at_once_and_takes_waiting_churn_along),
		cmocka_unit_test(edits_wait_for_25_ms_of_quiet_but_never_longer_than_100_ms),
		cmocka_unit_test(one_plan_is_in_flight_and_the_latest_goes_next),
		cmocka_unit_test(going_back_is_not_confirmed_while_another_plan_is_in_flight),
		cmocka_unit_test(going_back_after_an_answer_that_did_not_come_is_sent_too),
		cmocka_unit_test(it_is_known_how_much_of_what_was_wanted_is_confirmed),
		cmocka_unit_test(
			an_agent_that_comes_back_with_something_else_has_confirmed_nothing),
		cmocka_unit_test(a_delta_without_its_base_is_followed_by_the_full_plan),
		cmocka_unit_test(
			refused_content_is_tried_again_after_five_minutes_or_by_a_new_process),
		cmocka_unit_test(an_unanswered_plan_is_sent_once_more_then_the_agent_is_closed),
		cmocka_unit_test(a_process_that_starts_connects_at_once),
		cmocka_unit_test(waits_are_spread_over_what_the_session_said_then_grow),
		cmocka_unit_test(a_session_must_come_within_five_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
