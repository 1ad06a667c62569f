/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/control/opamp.h"
#include "tests/unit/both/channel.h"
#include "tests/unit/both/raw.h"

/* An agent that speaks OpAMP and not our messages, as opamp-go does: it tells its state at its first connection,
 * sends an empty message at every other, answers a plan by remote_config_status alone, and says nothing when that
 * status has not changed. */

struct agent {
	struct raw raw;
	uint64_t seq;
	char hash[PLAN_HASH_HEX]; /* of the last plan; "" = none yet */
};

static bool say(struct agent *agent, bool all)
{
	struct opamp_from_agent msg = { .uid = { 7 }, .seq = ++agent->seq };
	uint8_t *bytes;
	size_t len;
	bool sent;

	if (all) {
		msg.capabilities = OPAMP_AGENT_REPORTS_STATUS | OPAMP_AGENT_ACCEPTS_CONFIG |
				   OPAMP_AGENT_REPORTS_CONFIG;
		strcpy(msg.host, "some-host");
		msg.has_status = agent->hash[0] != '\0';
		msg.status = OPAMP_APPLIED;
		memcpy(msg.hash, agent->hash, sizeof(msg.hash));
	}
	bytes = opamp_from_agent_pack(&msg, 0, &len);
	sent = raw_frame(&agent->raw, RAW_BINARY | RAW_FIN, bytes, len);
	free(bytes);
	return sent;
}

/* Do as the next message says; 1 = a plan came, 2 = the state was asked for, 0 = neither, -1 = the end. */
static int obey(struct agent *agent)
{
	static uint8_t room[65536];
	struct opamp_to_agent msg;
	int opcode, len = raw_next(&agent->raw, &opcode, room, sizeof(room)), result = 0;
	bool changed = false, asked;

	if (len < 0 || opcode != RAW_BINARY)
		return -1;
	if (opamp_to_agent_unpack(room, (size_t)len, &msg, NULL) < 0)
		return -1;
	asked = msg.flags & OPAMP_SERVER_REPORT_FULL_STATE;
	if (msg.plan) {
		changed = strcmp(agent->hash, msg.hash) != 0;
		memcpy(agent->hash, msg.hash, sizeof(agent->hash));
		result = 1;
	} else if (asked) {
		result = 2;
	}
	if ((asked || changed) && !say(agent, true))
		result = -1;
	opamp_to_agent_release(&msg);
	return result;
}

static bool join(struct agent *agent, const struct pki *pki, int port)
{
	return raw_join(&agent->raw, pki, "agent", port, OPAMP_PATH, "websocket");
}

/* How often it was asked and given a plan in so many messages, as 10 * asked + plans. */
static int count(struct agent *agent, int messages)
{
	int result = 0;

	while (messages-- > 0) {
		int what = obey(agent);

		if (what < 0)
			return -1;
		result += what == 1 ? 1 : what == 2 ? 10 : 0;
	}
	return result;
}

static int first_connection(struct rig *r, int port)
{
	struct agent agent = { .seq = 0 };

	if (!join(&agent, &r->pki, port) || !say(&agent, true))
		return -1;
	return count(&agent, 3); /* session, plan, reply to its status */
}

static void at_its_first_connection_it_gets_and_confirms_the_plan(void **state)
{
	struct hub_node node;
	int port = rig_start_hub_at(&rig, 0);

	(void)state;
	rig_want(&rig, rig_plan(49, 2));
	assert_int_equal(raw_play(&rig, first_connection, port), 1);
	assert_true(hub_node_get(rig.hub, NODE, &node));
	assert_int_equal(node.applied_seq, node.wanted_seq);
}

static int come_back(struct rig *r, const char *hash, int port, int messages)
{
	struct agent agent = { .seq = 10 };

	snprintf(agent.hash, sizeof(agent.hash), "%s", hash);
	if (!join(&agent, &r->pki, port) || !say(&agent, false))
		return -1;
	return count(&agent, messages);
}

static int with_the_same_plan(struct rig *r, int port)
{
	struct plan plan = rig_plan(49, 2);
	char hash[PLAN_HASH_HEX];

	plan_hash(&plan, hash);
	plan_release(&plan);
	return come_back(r, hash, port, 2); /* the question, session */
}

static int with_another_plan(struct rig *r, int port)
{
	struct plan plan = rig_plan(19, 2);
	char hash[PLAN_HASH_HEX];

	plan_hash(&plan, hash);
	plan_release(&plan);
	return come_back(r, hash, port, 4); /* the question, session, plan, reply */
}

static void when_it_comes_back_it_is_asked_and_believed(void **state)
{
	struct hub_node node;
	int port = rig_start_hub_at(&rig, 0);

	(void)state;
	rig_want(&rig, rig_plan(49, 2));
	assert_int_equal(raw_play(&rig, with_the_same_plan, port), 10);
	assert_true(hub_node_get(rig.hub, NODE, &node));
	assert_int_equal(node.applied_seq, node.wanted_seq);
}

static void when_it_comes_back_with_another_plan_it_gets_the_new_one(void **state)
{
	struct hub_node node;
	int port = rig_start_hub_at(&rig, 0);

	(void)state;
	rig_want(&rig, rig_plan(49, 2));
	assert_int_equal(raw_play(&rig, with_another_plan, port), 11);
	assert_true(hub_node_get(rig.hub, NODE, &node));
	assert_int_equal(node.applied_seq, node.wanted_seq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(at_its_first_connection_it_gets_and_confirms_the_plan),
		TEST(when_it_comes_back_it_is_asked_and_believed),
		TEST(when_it_comes_back_with_another_plan_it_gets_the_new_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
