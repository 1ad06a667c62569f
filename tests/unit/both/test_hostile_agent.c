/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/control/control_msg.h"
#include "lib/core/control/opamp.h"
#include "lib/core/limits.h"
#include "tests/unit/both/channel.h"
#include "tests/unit/both/raw.h"

/* Peers of the hub that hold a good certificate and speak nonsense, and peers that hold none. */

static bool join(struct raw *raw, const char *cert, int port)
{
	return raw_join(raw, &rig.pki, cert, port, OPAMP_PATH, "websocket");
}

static void send_status(struct raw *raw, const struct control_applied *applied)
{
	struct opamp_from_agent msg = { .uid = { 7 }, .seq = 1, .knows_us = true };
	uint8_t *bytes;
	size_t len;

	strcpy(msg.custom.type, CONTROL_APPLIED);
	msg.custom.body = control_applied_pack(applied);
	msg.custom.body_len = strlen(msg.custom.body);
	bytes = opamp_from_agent_pack(&msg, 0, &len);
	raw_frame(raw, RAW_BINARY | RAW_FIN, bytes, len);
	free(bytes);
}

static int hello(struct raw *raw, int port)
{
	const struct control_applied nothing = { 0 };

	if (!join(raw, "agent", port))
		return 0;
	send_status(raw, &nothing);
	return 1;
}

static int text_frame(struct rig *r, int port)
{
	struct raw raw;

	(void)r;
	hello(&raw, port);
	raw_frame(&raw, RAW_TEXT | RAW_FIN, "{}", 2);
	return raw_close_code(&raw);
}

static int wrong_header(struct rig *r, int port)
{
	struct raw raw;

	(void)r;
	hello(&raw, port);
	raw_frame(&raw, RAW_BINARY | RAW_FIN, "\x01\x0a\x00", 3);
	return raw_close_code(&raw);
}

static int empty_message(struct rig *r, int port)
{
	struct raw raw;

	(void)r;
	hello(&raw, port);
	raw_frame(&raw, RAW_BINARY | RAW_FIN, "", 0);
	raw_frame(&raw, RAW_BINARY | RAW_FIN, "\0", 1);
	return raw_close_code(&raw);
}

static int garbage(struct rig *r, int port)
{
	uint8_t bytes[512] = { 0 };
	struct raw raw;

	(void)r;
	join(&raw, "agent", port);
	memset(bytes + 1, 0xff, sizeof(bytes) - 1);
	raw_frame(&raw, RAW_BINARY | RAW_FIN, bytes, sizeof(bytes));
	return raw_close_code(&raw);
}

static int truncated(struct rig *r, int port)
{
	struct opamp_from_agent msg = { .uid = { 7 }, .seq = 1, .host = "a-name-that-is-cut" };
	struct raw raw;
	uint8_t *bytes;
	size_t len;

	(void)r;
	join(&raw, "agent", port);
	bytes = opamp_from_agent_pack(&msg, 0, &len);
	raw_frame(&raw, RAW_BINARY | RAW_FIN, bytes, len - 3);
	return raw_close_code(&raw);
}

static int deep_json(struct rig *r, int port)
{
	struct opamp_from_agent msg = { .uid = { 7 }, .seq = 1, .knows_us = true };
	struct raw raw;
	uint8_t *bytes;
	size_t len;

	(void)r;
	hello(&raw, port);
	strcpy(msg.custom.type, CONTROL_APPLIED);
	msg.custom.body_len = 100000;
	msg.custom.body = xmalloc(msg.custom.body_len);
	memset(msg.custom.body, '[', msg.custom.body_len);
	bytes = opamp_from_agent_pack(&msg, 0, &len);
	raw_frame(&raw, RAW_BINARY | RAW_FIN, bytes, len);
	return raw_close_code(&raw);
}

static int oversize(struct rig *r, int port)
{
	size_t len = LIMIT_CONTROL_RX_CONTROLLER + 1;
	uint8_t *bytes = xcalloc(1, len);
	struct raw raw;

	(void)r;
	hello(&raw, port);
	raw_frame(&raw, RAW_BINARY | RAW_FIN, bytes, len);
	return raw_close_code(&raw);
}

static int endless_fragments(struct rig *r, int port)
{
	uint8_t bytes[4096] = { 0 };
	struct raw raw;

	(void)r;
	hello(&raw, port);
	raw_frame(&raw, RAW_BINARY, bytes, sizeof(bytes));
	for (int i = 0; i < 1000 && raw_frame(&raw, RAW_CONT, bytes, sizeof(bytes)); i++)
		;
	return raw_close_code(&raw);
}

static int silent(struct rig *r, int port)
{
	struct raw raw;

	(void)r;
	join(&raw, "agent", port);
	return raw_close_code(&raw);
}

static int no_answer(struct rig *r, int port)
{
	struct raw raw;

	(void)r;
	hello(&raw, port);
	return raw_close_code(&raw);
}

static void nonsense_is_closed_with_a_code_and_harms_nobody(void **state)
{
	static const struct {
		int (*script)(struct rig *r, int port);
		int code;
	} cases[] = {
		{ text_frame, 1003 }, { wrong_header, 4008 },	   { empty_message, 4008 },
		{ garbage, 4008 },    { truncated, 4008 },	   { deep_json, 4008 },
		{ oversize, 1009 },   { endless_fragments, 1009 },
	};
	int port = rig_start_hub_at(&rig, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(raw_play(&rig, cases[i].script, port), cases[i].code);
	assert_int_equal(rig_start_client(&rig, port), 0);
	rig_want(&rig, rig_plan(100, 1));
	assert_true(rig_until(&rig, rig_is_applied, 3000));
}

static void who_says_nothing_for_five_seconds_is_closed(void **state)
{
	(void)state;
	assert_int_equal(raw_play(&rig, silent, rig_start_hub_at(&rig, 0)), 4008);
}

static void who_never_answers_a_plan_gets_it_twice_and_is_closed(void **state)
{
	int port = rig_start_hub_at(&rig, 0);
	double plans;

	(void)state;
	rig_want(&rig, rig_plan(100, 1));
	assert_int_equal(raw_play(&rig, no_answer, port), 4008);
	plans = metric_get(metrics_counter(rig.hub_metrics, "rubato_controller_messages_sent_total",
					   "", METRIC_LABELS("type", "plan")));
	assert_true(plans == 2);
}

static int no_certificate(struct rig *r, int port)
{
	struct raw raw;

	(void)r;
	return join(&raw, NULL, port);
}

static int foreign_certificate(struct rig *r, int port)
{
	struct pki other;
	struct raw raw;
	bool joined;

	(void)r;
	pki_init(&other);
	pki_leaf(&other, "agent", NODE, NULL);
	joined = raw_join(&raw, &other, "agent", port, OPAMP_PATH, "websocket");
	pki_release(&other);
	return joined;
}

static int good_certificate(struct rig *r, int port)
{
	struct raw raw;

	(void)r;
	return join(&raw, "agent", port);
}

static int other_path(struct rig *r, int port)
{
	struct raw raw;

	(void)r;
	return raw_join(&raw, &rig.pki, "agent", port, "/", "websocket");
}

static int http2(struct rig *r, int port)
{
	struct raw raw;

	(void)r;
	return raw_join(&raw, &rig.pki, "agent", port, OPAMP_PATH, "h2c");
}

static int name_with_a_slash(struct rig *r, int port)
{
	struct raw raw;

	(void)r;
	return join(&raw, "slash", port) ? raw_close_code(&raw) : 0;
}

static void only_agents_with_our_certificate_on_our_path_come_in(void **state)
{
	int port = rig_start_hub_at(&rig, 0);

	(void)state;
	pki_leaf(&rig.pki, "slash", "a/../b", NULL);
	assert_int_equal(raw_play(&rig, good_certificate, port), 1);
	assert_int_equal(raw_play(&rig, no_certificate, port), 0);
	assert_int_equal(raw_play(&rig, foreign_certificate, port), 0);
	assert_int_equal(raw_play(&rig, other_path, port), 0);
	assert_int_equal(raw_play(&rig, http2, port), 0);
	assert_int_equal(raw_play(&rig, name_with_a_slash, port), 4401);
}

static int claims_another_node(struct rig *r, int port)
{
	struct opamp_from_agent msg = { .uid = { 7 }, .seq = 1, .host = "worker-2" };
	uint8_t *bytes, room[4096];
	struct raw raw;
	int opcode;
	size_t len;

	(void)r;
	join(&raw, "agent", port);
	bytes = opamp_from_agent_pack(&msg, 0, &len);
	raw_frame(&raw, RAW_BINARY | RAW_FIN, bytes, len);
	return raw_next(&raw, &opcode, room, sizeof(room)) > 0;
}

static void the_certificate_names_the_node_and_nothing_else_does(void **state)
{
	struct hub_node node;

	(void)state;
	assert_int_equal(raw_play(&rig, claims_another_node, rig_start_hub_at(&rig, 0)), 1);
	assert_true(hub_node_get(rig.hub, NODE, &node));
	assert_false(hub_node_get(rig.hub, "worker-2", &node));
}

static bool was_lost(struct rig *r)
{
	return r->losses > 0;
}

static void the_newest_connection_of_a_node_wins(void **state)
{
	int port = rig_start_hub_at(&rig, 0);

	(void)state;
	assert_int_equal(rig_start_client(&rig, port), 0);
	assert_true(rig_until(&rig, rig_is_connected, 3000));
	assert_int_equal(raw_play(&rig, good_certificate, port), 1);
	assert_true(rig_until(&rig, was_lost, 1000)); /* and comes back soon */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nonsense_is_closed_with_a_code_and_harms_nobody),
		TEST(who_says_nothing_for_five_seconds_is_closed),
		TEST(who_never_answers_a_plan_gets_it_twice_and_is_closed),
		TEST(only_agents_with_our_certificate_on_our_path_come_in),
		TEST(the_certificate_names_the_node_and_nothing_else_does),
		TEST(the_newest_connection_of_a_node_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
