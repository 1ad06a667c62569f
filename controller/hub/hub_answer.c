/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/hub/hub_priv.h"

#include <errno.h>
#include <string.h>

#include "controller/core/session/answer.h"
#include "lib/log.h"
#include "lib/loop.h"

/* An agent says it with each answer and report, of the plan that it has then. */
static void take_missing(struct hub_peer *peer, const struct control_missing *missing)
{
	struct control_missing *now = NULL;

	if (missing->cgroups) {
		now = xmalloc(sizeof(*now));
		*now = *missing;
	}
	peer->missing_news |=
		!now != !peer->missing || (now && !control_missing_equal(now, peer->missing));
	free(peer->missing);
	peer->missing = now;
}

static void on_answer(struct hub_peer *peer, const struct control_applied *applied)
{
	struct hub *hub = peer->hub;
	int64_t now_ns = now_boot_ns();
	enum hub_verdict verdict = hub_fsm_answer(&peer->fsm, applied, now_ns);

	peer->max_rate_hz = applied->max_rate_hz;
	if (verdict == HUB_VERDICT_APPLIED) {
		hub_plan_unref(peer->have);
		peer->have = TAKE_PTR(peer->flight);
		peer->error[0] = '\0';
		peer->clamped = applied->result == CONTROL_PARTIAL;
		metric_observe(hub->confirm_seconds,
			       (double)(now_ns - peer->sent_ns) / NSEC_PER_SEC);
	}
	if (verdict == HUB_VERDICT_REFUSED) {
		memcpy(peer->error, applied->error, sizeof(peer->error));
		log_warn("an agent refused a plan", LOG_STR("node", peer->name),
			 LOG_STR("reason", control_reason_name(applied->reason)),
			 LOG_STR("err", applied->error));
	}
	metrics_count(hub->metrics, "rubato_controller_plan_answers_total",
		      "Answers of agents to plans, by what came of it.", "result",
		      verdict == HUB_VERDICT_APPLIED   ? "applied"
		      : verdict == HUB_VERDICT_IGNORED ? "ignored"
						       : control_reason_name(applied->reason));
}

static void on_hello(struct hub_conn *conn, const struct opamp_from_agent *msg,
		     const struct control_applied *applied)
{
	struct hub_peer *peer = conn->peer;
	bool is_new = memcmp(peer->uid, msg->uid, sizeof(msg->uid)) != 0;

	conn->knows_us = msg->knows_us;
	memcpy(conn->uid, msg->uid, sizeof(conn->uid));
	memcpy(peer->uid, msg->uid, sizeof(peer->uid));
	hub_fsm_hello(&peer->fsm, applied->have, is_new);
	peer->max_rate_hz = applied->max_rate_hz;
	/* Its plan in force is the one we want: that is the base of the next delta too. */
	if (peer->wanted && strcmp(peer->wanted->hash, applied->have) == 0) {
		hub_plan_unref(peer->have);
		peer->have = hub_plan_ref(peer->wanted);
		peer->clamped = applied->result == CONTROL_PARTIAL;
		peer->fsm.timed_out = false;
		peer->error[0] = '\0';
	}
	log_info("agent in session", LOG_STR("node", peer->name), LOG_STR("have", applied->have));
}

int hub_conn_status(struct hub_conn *conn, const struct opamp_from_agent *msg, struct err *err)
{
	struct hub_fsm *fsm = &conn->peer->fsm;
	struct control_applied applied;
	bool is_hello = fsm->phase == HUB_PHASE_HELLO;

	if (is_hello && answer_lacks_state(msg) && hub_fsm_ask(fsm)) {
		memcpy(conn->uid, msg->uid, sizeof(conn->uid));
		return 0;
	}
	if (answer_read(msg, fsm, &applied, err) < 0)
		return -EPROTO;
	if (is_hello)
		on_hello(conn, msg, &applied);
	else if (memcmp(conn->uid, msg->uid, sizeof(msg->uid)) != 0)
		return err_set(err, -EPROTO, "instance_uid changed within a connection");
	hub_fsm_message(fsm);
	if (strcmp(msg->custom.type, CONTROL_APPLIED) == 0)
		take_missing(conn->peer, &applied.missing);
	if (is_hello || !msg->has_status)
		return 0;
	if (msg->status == OPAMP_APPLYING)
		hub_fsm_applying(fsm, msg->hash, now_boot_ns());
	else
		on_answer(conn->peer, &applied);
	return 0;
}
