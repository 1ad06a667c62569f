/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/control/opamp.h"
#include "lib/core/limits.h"
#include "tests/unit/both/auth_rig.h"

/* Which node an agent is of, and what happens while that is found out. */

static bool was_asked(struct rig *r)
{
	(void)r;
	return reviewer.asked > 0;
}

static bool has_two_sessions(struct rig *r)
{
	return r->sessions >= 2;
}

static bool is_gone(struct rig *r)
{
	return !r->connected;
}

/* --- who it is --- */

static void check_node_of_review(void)
{
	struct plan plan = rig_plan(49, 1);

	hub_set_plan(rig.hub, "worker-of-the-review", &plan, HUB_LANE_NOW);
	assert_true(rig_until(&rig, rig_is_connected, 4000));
	assert_string_equal(control_client_node(rig.client), "worker-of-the-review");
	assert_string_equal(reviewer.token, "a.b.c");
	assert_string_equal(reviewer.cert_name, NODE);
	rig_wait(&rig, 100);
	assert_int_equal(rig.rate_hz, 49);
}

static void the_node_comes_from_the_review_not_from_the_certificate(void **state)
{
	struct hub_node node;

	(void)state;
	reviewer.wait_ms = 50;
	start();
	check_node_of_review();
	assert_false(hub_node_get(rig.hub, NODE, &node));
}

static void a_review_may_answer_at_once(void **state)
{
	(void)state;
	start();
	check_node_of_review();
}

static void without_a_reviewer_the_certificate_names_the_node(void **state)
{
	(void)state;
	rig.authenticate = NULL;
	start();
	assert_true(rig_until(&rig, rig_is_connected, 4000));
	assert_string_equal(control_client_node(rig.client), NODE);
	assert_int_equal(reviewer.asked, 0);
}

static void a_refused_agent_is_closed_and_counted(void **state)
{
	struct hub_node node;

	(void)state;
	reviewer.node = NULL;
	reviewer.wait_ms = 20;
	start();
	assert_true(rig_until(&rig, was_refused, 4000));
	rig_wait(&rig, 100);
	assert_false(rig.connected);
	assert_int_equal(rig.sessions, 0);
	assert_false(hub_node_get(rig.hub, NODE, &node));
}

static void an_agent_that_was_refused_comes_back_when_it_may(void **state)
{
	(void)state;
	reviewer.node = NULL;
	start();
	assert_true(rig_until(&rig, was_refused, 4000));
	reviewer.node = "worker-2";
	assert_true(rig_until(&rig, rig_is_connected, 15000));
	assert_string_equal(control_client_node(rig.client), "worker-2");
}

static void an_expired_token_asks_for_a_fresh_one(void **state)
{
	(void)state;
	reviewer.life_ns = 100 * NSEC_PER_MSEC; /* and up to 10 s of jitter */
	start();
	assert_true(rig_until(&rig, rig_is_connected, 4000));
	write_token("d.e.f", 5);
	reviewer.life_ns = 0;
	assert_true(rig_until(&rig, is_gone, 11500));
	assert_true(rig_until(&rig, has_two_sessions, 8000));
	assert_string_equal(reviewer.token, "d.e.f");
}

/* --- while the review goes on, and after --- */

static int join_and_count(struct rig *r, int port)
{
	struct raw raw;
	uint8_t room[65536];
	int opcode, len, messages = 0;

	if (!raw_join(&raw, &r->pki, "agent", port, OPAMP_PATH, "websocket"))
		return 1;
	while ((len = raw_next(&raw, &opcode, room, sizeof(room))) >= 0) {
		if (opcode == RAW_CLOSE && len >= 2)
			return messages * 10000 + (room[0] << 8 | room[1]);
		messages += opcode == RAW_BINARY;
	}
	return 2;
}

static void a_review_that_never_ends_is_given_up_and_nothing_is_said_meanwhile(void **state)
{
	(void)state;
	reviewer.never = true;
	assert_int_equal(raw_play(&rig, join_and_count, rig_start_hub_at(&rig, 0)), 4401);
	assert_true(refused("timeout") == 1);
}

static int join_and_go(struct rig *r, int port)
{
	struct raw raw;

	return raw_join(&raw, &r->pki, "agent", port, OPAMP_PATH, "websocket");
}

static void an_answer_after_the_agent_went_is_of_no_use(void **state)
{
	struct hub_node node;

	(void)state;
	reviewer.wait_ms = 300;
	assert_int_equal(raw_play(&rig, join_and_go, rig_start_hub_at(&rig, 0)), 1);
	rig_wait(&rig, 600);
	assert_int_equal(reviewer.asked, 1);
	assert_int_equal(reviewer.unwanted, 1);
	assert_false(hub_node_get(rig.hub, "worker-of-the-review", &node));
}

static void an_answer_after_the_hub_is_gone_is_of_no_use(void **state)
{
	(void)state;
	reviewer.never = true;
	start();
	assert_true(rig_until(&rig, was_asked, 4000));
	rig_stop_hub(&rig);
	assert_false(hub_auth_wanted(reviewer.auth));
	answer(TAKE_PTR(reviewer.auth));
}

static int talk_too_much(struct rig *r, int bytes)
{
	static uint8_t room[LIMIT_CONTROL_RX_PENDING + 1];
	struct raw raw;

	if (!raw_join(&raw, &r->pki, "agent", hub_port(r->hub), OPAMP_PATH, "websocket"))
		return 1;
	if (bytes) {
		raw_frame(&raw, RAW_BINARY | RAW_FIN, room, (size_t)bytes);
	} else {
		raw_frame(&raw, RAW_BINARY | RAW_FIN, room, 8);
		raw_frame(&raw, RAW_BINARY | RAW_FIN, room, 8);
	}
	return raw_close_code(&raw);
}

static void one_small_message_is_kept_during_the_review_no_more(void **state)
{
	(void)state;
	reviewer.never = true;
	rig_start_hub_at(&rig, 0);
	assert_int_equal(raw_play(&rig, talk_too_much, LIMIT_CONTROL_RX_PENDING + 1), 1009);
	assert_int_equal(raw_play(&rig, talk_too_much, 0), 4008);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_node_comes_from_the_review_not_from_the_certificate),
		TEST(a_review_may_answer_at_once),
		TEST(without_a_reviewer_the_certificate_names_the_node),
		TEST(a_refused_agent_is_closed_and_counted),
		TEST(an_agent_that_was_refused_comes_back_when_it_may),
		TEST(an_expired_token_asks_for_a_fresh_one),
		TEST(a_review_that_never_ends_is_given_up_and_nothing_is_said_meanwhile),
		TEST(an_answer_after_the_agent_went_is_of_no_use),
		TEST(an_answer_after_the_hub_is_gone_is_of_no_use),
		TEST(one_small_message_is_kept_during_the_review_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
