/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/control/control_msg.h"
#include "lib/core/control/opamp.h"
#include "lib/core/limits.h"
#include "tests/unit/both/channel.h"
#include "tests/unit/both/raw.h"

/* A controller that holds a good certificate and speaks nonsense to an agent. */

static const struct control_epoch epoch = { .t = 1000, .n = 5 };

static void send_to_agent(struct raw *raw, struct opamp_to_agent *msg)
{
	size_t len;
	uint8_t *bytes = opamp_to_agent_pack(msg, 0, &len);

	raw_frame(raw, RAW_BINARY | RAW_FIN, bytes, len);
	free(bytes);
	opamp_to_agent_release(msg);
}

static void send_custom(struct raw *raw, const char *type, char *body)
{
	struct opamp_to_agent msg = { .knows_us = true };

	strcpy(msg.custom.type, type);
	msg.custom.body = body;
	msg.custom.body_len = strlen(body);
	send_to_agent(raw, &msg);
}

static bool serve(struct raw *raw, int listener)
{
	struct control_session session = { epoch, 90000, 1000, NODE };

	if (!raw_serve(raw, &rig.pki, listener))
		return false;
	send_custom(raw, CONTROL_SESSION, control_session_pack(&session));
	return true;
}

static void send_plan(struct raw *raw, struct control_epoch of, int64_t gen, uint32_t hz, bool lie)
{
	struct opamp_to_agent msg = { .knows_us = true };
	struct control_head head = { .epoch = of, .gen = gen };
	struct plan plan = rig_plan(hz, 1);

	plan_hash(&plan, head.hash);
	if (lie)
		head.hash[0] = head.hash[0] == '0' ? '1' : '0';
	msg.plan = control_plan_pack(&head, &plan, now_boot_ns(), 90000);
	msg.plan_len = strlen(msg.plan);
	memcpy(msg.hash, head.hash, sizeof(msg.hash));
	plan_release(&plan);
	send_to_agent(raw, &msg);
}

/* The reason in the agent's next answer. */
static int next_reason(struct raw *raw)
{
	struct opamp_from_agent msg;
	struct control_applied applied;
	uint8_t room[65536];
	int opcode, len = raw_next(raw, &opcode, room, sizeof(room));

	if (len <= 0 || opcode != RAW_BINARY ||
	    opamp_from_agent_unpack(room, (size_t)len, &msg, NULL) < 0 ||
	    control_applied_unpack(msg.custom.body, msg.custom.body_len, &applied, NULL) < 0)
		return 999;
	return (int)applied.reason;
}

static int a_garbage(struct rig *r, int listener)
{
	struct raw raw;

	(void)r;
	serve(&raw, listener);
	raw_frame(&raw, RAW_BINARY | RAW_FIN, "\0\xff\xff\xff", 4);
	return raw_close_code(&raw);
}

static int a_text(struct rig *r, int listener)
{
	struct raw raw;

	(void)r;
	serve(&raw, listener);
	raw_frame(&raw, RAW_TEXT | RAW_FIN, "{}", 2);
	return raw_close_code(&raw);
}

static int a_deep(struct rig *r, int listener)
{
	char *body = xcalloc(1, 50001);
	struct raw raw;

	(void)r;
	serve(&raw, listener);
	for (int i = 0; i < 50000; i += 5)
		memcpy(body + i, "{\"a\":", 5);
	send_custom(&raw, CONTROL_DELTA, body);
	return raw_close_code(&raw);
}

static int a_oversize(struct rig *r, int listener)
{
	size_t len = LIMIT_CONTROL_RX_AGENT + 1;
	uint8_t *bytes = xcalloc(1, len);
	struct raw raw;

	(void)r;
	serve(&raw, listener);
	raw_frame(&raw, RAW_BINARY | RAW_FIN, bytes, len);
	return raw_close_code(&raw);
}

static int a_plan_before_session(struct rig *r, int listener)
{
	struct raw raw;

	(void)r;
	raw_serve(&raw, &rig.pki, listener);
	send_plan(&raw, epoch, 1, 100, false);
	return raw_close_code(&raw);
}

static int a_stale_plan(struct rig *r, int listener)
{
	struct raw raw;

	(void)r;
	serve(&raw, listener);
	send_plan(&raw, (struct control_epoch){ 1000, 4 }, 1, 100, false);
	return raw_close_code(&raw);
}

static int a_wrong_hash(struct rig *r, int listener)
{
	struct raw raw;

	(void)r;
	serve(&raw, listener);
	send_plan(&raw, epoch, 1, 100, true);
	return next_reason(&raw) == CONTROL_REASON_HASH ? 1 : 0;
}

static int a_base_mismatch(struct rig *r, int listener)
{
	struct control_head head = { .epoch = epoch, .gen = 1 };
	struct plan from = rig_plan(1, 1), to = rig_plan(2, 1);
	struct raw raw;

	(void)r;
	serve(&raw, listener);
	plan_hash(&from, head.base);
	plan_hash(&to, head.hash);
	send_custom(&raw, CONTROL_DELTA,
		    control_delta_pack(&head, &from, &to, now_boot_ns(), 90000));
	return next_reason(&raw) == CONTROL_REASON_BASE ? 1 : 0;
}

static int old_generation(struct rig *r, int listener)
{
	struct raw raw;
	int ok;

	(void)r;
	serve(&raw, listener);
	send_plan(&raw, epoch, 5, 100, false);
	ok = next_reason(&raw) == CONTROL_REASON_NONE;
	send_plan(&raw, epoch, 5, 40, false); /* replayed */
	send_plan(&raw, epoch, 4, 41, false); /* reordered */
	send_plan(&raw, epoch, 6, 50, false);
	return ok && next_reason(&raw) == CONTROL_REASON_NONE;
}

static bool is_gone(struct rig *r)
{
	return !r->connected;
}

/* The same, as a controller of the next version might say it: with a member and a capability that are new. */
static char *newer(char *text)
{
	static const char known[] = "\"caps\":[", more[] = "\"colour\":1,\"caps\":[\"offcpu\",";
	cleanup(freep) char *old = text;
	char *at = strstr(old, known);

	assert_non_null(at);
	*at = '\0';
	return xasprintf("%s%s%s", old, more, at + strlen(known));
}

static int a_newer_controller(struct rig *r, int listener)
{
	struct opamp_to_agent msg = { .knows_us = true };
	struct control_head head = { .epoch = epoch, .gen = 1 },
			    next = { .epoch = epoch, .gen = 2 };
	struct plan from = rig_plan(70, 1), to = rig_plan(80, 1);
	struct raw raw;
	int first;

	(void)r;
	serve(&raw, listener);
	/* The hashes are of what it says, which is more than this version reads. */
	memset(head.hash, 'a', PLAN_HASH_HEX - 1);
	memset(next.hash, 'b', PLAN_HASH_HEX - 1);
	memcpy(next.base, head.hash, sizeof(next.base));
	msg.plan = newer(control_plan_pack(&head, &from, now_boot_ns(), 90000));
	msg.plan_len = strlen(msg.plan);
	memcpy(msg.hash, head.hash, sizeof(msg.hash));
	send_to_agent(&raw, &msg);
	first = next_reason(&raw);
	send_custom(&raw, CONTROL_DELTA,
		    control_delta_pack(&next, &from, &to, now_boot_ns(), 90000));
	plan_release(&from);
	plan_release(&to);
	return first == CONTROL_REASON_NONE && next_reason(&raw) == CONTROL_REASON_NONE;
}

/* The agent is left with `rate_hz` in force; 0 = nothing was applied. */
static void against_agent(int (*script)(struct rig *r, int listener), int result, uint32_t rate_hz)
{
	int port, listener = raw_listen(&port);

	rig.rate_hz = 0;
	assert_int_equal(rig_start_client(&rig, port), 0);
	assert_int_equal(raw_play(&rig, script, listener), result);
	assert_true(rig_until(&rig, is_gone, 3000));
	assert_int_equal(rig.rate_hz, rate_hz);
	rig_stop_client(&rig);
	close(listener);
}

static void an_agent_hangs_up_on_nonsense(void **state)
{
	(void)state;
	against_agent(a_garbage, 4008, 0);
	against_agent(a_text, 1003, 0);
	against_agent(a_deep, 4008, 0);
	against_agent(a_oversize, 1009, 0);
	against_agent(a_plan_before_session, 4008, 0);
}

static void an_agent_refuses_what_it_cannot_verify(void **state)
{
	(void)state;
	against_agent(a_stale_plan, 4009, 0);
	assert_non_null(strstr(rig.why, "we hung up (4009): stale epoch: 1000/4"));
	against_agent(a_wrong_hash, 1, 0);
	against_agent(a_base_mismatch, 1, 0);
}

static void an_agent_takes_what_it_knows_of_a_newer_controller(void **state)
{
	(void)state;
	against_agent(a_newer_controller, 1, 80);
}

static void an_agent_ignores_replayed_and_reordered_plans(void **state)
{
	(void)state;
	against_agent(old_generation, 1, 50);
	assert_int_equal(rig.applied, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_agent_hangs_up_on_nonsense),
		TEST(an_agent_refuses_what_it_cannot_verify),
		TEST(an_agent_takes_what_it_knows_of_a_newer_controller),
		TEST(an_agent_ignores_replayed_and_reordered_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
