/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/client_fsm.h"
#include "controller/hub_fsm.h"

#define MS NSEC_PER_MSEC
#define TTL_MS 90000

static const char *hash_of(unsigned content)
{
	static char text[4][PLAN_HASH_HEX];
	static unsigned turn;
	char *hash = text[turn++ % 4];

	snprintf(hash, PLAN_HASH_HEX, "%064x", content);
	return hash;
}

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
	ready(&fsm);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_NOW, 0);
	hub_fsm_take(&fsm, false, 0);
	answer(&fsm, CONTROL_REASON_NONE, 0);
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
	ready(&fsm);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_NOW, 0);
	hub_fsm_take(&fsm, false, 0);
	answer(&fsm, CONTROL_REASON_NONE, 0);
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
	ready(&fsm);
	hub_fsm_want(&fsm, hash_of(1), false, false, HUB_LANE_NOW, 0);
	hub_fsm_take(&fsm, false, 0);
	answer(&fsm, CONTROL_REASON_NONE, 0);
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

/* --- whatever happens --- */

static uint64_t seed;

static unsigned draw(unsigned below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed >> 33) % below;
}

/* A hub, an agent and a wire that loses whole connections; what is in the wire is one plan. */
struct world {
	struct hub_fsm hub;
	struct client_fsm agent;
	struct control_session session;
	int64_t now_ns;
	bool connected, wire_full, answer_due;
	struct control_head wire;
	enum hub_send kind;
	struct control_applied answer;
	struct control_epoch last_epoch;
	int64_t last_gen;
};

static void cut(struct world *w)
{
	if (w->connected) {
		hub_fsm_gone(&w->hub);
		client_fsm_lost(&w->agent, false, draw(1U << 31), w->now_ns);
	}
	w->connected = w->wire_full = w->answer_due = false;
}

static void restart_hub(struct world *w)
{
	char wanted[PLAN_HASH_HEX];

	memcpy(wanted, w->hub.wanted, sizeof(wanted));
	cut(w);
	hub_fsm_init(&w->hub, TTL_MS);
	w->session.epoch.n++;
	if (wanted[0])
		hub_fsm_want(&w->hub, wanted, false, false, HUB_LANE_NOW, w->now_ns);
}

static void agent_step(struct world *w)
{
	if (client_fsm_tick(&w->agent, w->now_ns) == CLIENT_DO_CONNECT) {
		client_fsm_connected(&w->agent, w->now_ns);
		hub_fsm_connect(&w->hub, w->now_ns);
		hub_fsm_hello(&w->hub, w->agent.have, false);
		w->connected = true;
	}
	if (!w->wire_full)
		return;
	w->wire_full = false;
	w->answer = (struct control_applied){ .epoch = w->wire.epoch, .gen = w->wire.gen };
	memcpy(w->answer.hash, w->wire.hash, PLAN_HASH_HEX);
	switch (client_fsm_plan(&w->agent, &w->wire, w->kind == HUB_SEND_DELTA)) {
	case CLIENT_TAKE:
		/* I1: what is applied never goes back */
		assert_true(control_epoch_cmp(&w->wire.epoch, &w->last_epoch) >= 0);
		if (control_epoch_cmp(&w->wire.epoch, &w->last_epoch) == 0)
			assert_true(w->wire.gen > w->last_gen);
		w->last_epoch = w->wire.epoch;
		w->last_gen = w->wire.gen;
		if (draw(8) == 0) {
			w->answer.result = CONTROL_FAILED;
			w->answer.reason = CONTROL_REASON_APPLY;
		} else {
			client_fsm_applied(&w->agent, w->wire.hash);
		}
		break;
	case CLIENT_SAME:
		break;
	case CLIENT_NO_BASE:
		w->answer.result = CONTROL_FAILED;
		w->answer.reason = CONTROL_REASON_BASE;
		break;
	default:
		fail_msg("an honest hub said something that its agent does not believe");
	}
	memcpy(w->answer.have, w->agent.have, PLAN_HASH_HEX);
	w->answer_due = true;
}

static void hub_step(struct world *w)
{
	bool was_inflight = w->hub.inflight;
	enum hub_send send;

	if (w->connected && hub_fsm_tick(&w->hub, w->now_ns) != 0) {
		w->hub.phase = HUB_PHASE_ABSENT;
		cut(w);
		return;
	}
	if (w->wire_full || !w->connected)
		return;
	was_inflight = w->hub.inflight;
	send = hub_fsm_take(&w->hub, draw(2), w->now_ns);
	if (send == HUB_SEND_SESSION)
		assert_int_equal(client_fsm_session(&w->agent, &w->session, w->now_ns),
				 CLIENT_TAKE);
	if (send != HUB_SEND_FULL && send != HUB_SEND_DELTA)
		return;
	assert_false(was_inflight); /* I3: one unconfirmed plan at most */
	w->wire = (struct control_head){ .epoch = w->session.epoch, .gen = w->hub.gen };
	memcpy(w->wire.hash, w->hub.wanted, PLAN_HASH_HEX);
	if (send == HUB_SEND_DELTA) /* now and then of a base that is long gone */
		memcpy(w->wire.base, draw(4) ? w->hub.have : hash_of(77), PLAN_HASH_HEX);
	w->kind = send;
	w->wire_full = true;
}

static void random_step(struct world *w)
{
	w->now_ns += draw(40) * MS;
	switch (draw(40)) {
	case 0:
		cut(w);
		break;
	case 1:
		restart_hub(w);
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		hub_fsm_want(&w->hub, hash_of(1 + draw(5)), draw(2), draw(2),
			     (enum hub_lane)draw(3), w->now_ns);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
	case 11:
	case 12:
	case 13:
	case 14:
	case 15:
		agent_step(w);
		break;
	case 16:
	case 17:
	case 18:
	case 19:
	case 20:
	case 21:
	case 22:
	case 23:
		if (w->answer_due)
			hub_fsm_answer(&w->hub, &w->answer, w->now_ns);
		w->answer_due = false;
		break;
	default:
		hub_step(w);
		break;
	}
}

static void invariants_hold_under_random_events_and_all_settles(void **state)
{
	const struct control_epoch none = { 0 };

	(void)state;
	for (unsigned run = 0; run < 2000; run++) {
		struct world w = { .session = { .epoch = { 1, 1 }, .spread_ms = 1000 } };
		enum hub_state end;

		seed = run;
		hub_fsm_init(&w.hub, TTL_MS);
		client_fsm_init(&w.agent, &none, "", 0);
		for (int i = 0; i < 300; i++)
			random_step(&w);
		/* I4: after quiet, confirmed or refused with a reason */
		hub_fsm_want(&w.hub, hash_of(6), false, false, HUB_LANE_NOW, w.now_ns);
		for (int i = 0; i < 4000; i++) {
			w.now_ns += 20 * MS;
			hub_step(&w);
			agent_step(&w);
			if (w.answer_due)
				hub_fsm_answer(&w.hub, &w.answer, w.now_ns);
			w.answer_due = false;
		}
		end = hub_fsm_state(&w.hub, w.now_ns);
		assert_true(end == HUB_APPLIED || end == HUB_FAILED);
		if (end == HUB_APPLIED)
			assert_string_equal(w.agent.have, hash_of(6));
	}
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
		cmocka_unit_test(invariants_hold_under_random_events_and_all_settles),
		cmocka_unit_test(a_process_that_starts_connects_at_once),
		cmocka_unit_test(waits_are_spread_over_what_the_session_said_then_grow),
		cmocka_unit_test(a_session_must_come_within_five_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
