/* SPDX-License-Identifier: Apache-2.0 */

/* The channel's two state machines together, whatever happens. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "agent/core/plan/client_fsm.h"
#include "controller/core/session/hub_fsm.h"
#include "tests/unit/both/fsm_rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invariants_hold_under_random_events_and_all_settles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
