/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/control_priv.h"

#include <errno.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/plan/plan_unknown.h"
#include "lib/log.h"
#include "lib/loop.h"

/* --- boosts --- */

bool control_look_at_boosts(struct control_client *client)
{
	int64_t now_ns = now_boot_ns();
	size_t alive = 0;

	client->end_ns = INT64_MAX;
	for (size_t i = 0; client->plan && i < client->plan->boost_nr; i++) {
		int64_t end_ns = plan_boost_end_ns(&client->plan->boost[i]);

		if (end_ns <= now_ns)
			continue;
		alive++;
		client->end_ns = MIN(client->end_ns, end_ns);
	}
	if (alive == client->alive)
		return false;
	if (alive < client->alive)
		metric_add(client->expiries, (double)(client->alive - alive));
	client->alive = alive;
	return true;
}

int control_apply(struct control_client *client, const struct plan *plan, struct err *err)
{
	struct control_client_result result = { 0 };
	int r = client->events.apply(client->ctx, plan, &result, err);

	if (r == 0) {
		client->clamped = result.clamped;
		client->missing = result.missing;
	}
	return r;
}

static void apply_again(struct control_client *client)
{
	struct err err = ERR_INIT;

	client->again = control_apply(client, client->plan, &err) < 0;
	if (!client->again)
		return;
	log_error("a boost began or ended, but the rates cannot be set; trying again in 1 s",
		  LOG_ERR(&err));
	client->end_ns = MIN(client->end_ns, now_boot_ns() + NSEC_PER_SEC);
}

void control_check_boosts(struct control_client *client)
{
	bool again = client->again;

	if (client->plan && now_boot_ns() >= client->end_ns &&
	    (control_look_at_boosts(client) || again))
		apply_again(client);
}

/* --- answers --- */

void control_answer_init(const struct control_client *client, struct control_applied *answer)
{
	*answer = (struct control_applied){
		.epoch = client->fsm.session,
		.result = client->clamped ? CONTROL_PARTIAL : CONTROL_OK,
		.max_rate_hz = client->options.max_rate_hz,
		.missing = client->missing,
	};
	memcpy(answer->have, client->fsm.have, sizeof(answer->have));
}

static void answer(struct control_client *client, const struct control_head *head,
		   enum control_reason reason, const struct err *err)
{
	struct control_applied *applied = &client->answer;

	control_answer_init(client, applied);
	applied->gen = head->gen;
	memcpy(applied->hash, head->hash, sizeof(applied->hash));
	if (reason) {
		applied->result = CONTROL_FAILED;
		applied->reason = reason;
		snprintf(applied->error, sizeof(applied->error), "%s", err->text);
		log_warn("plan not taken", LOG_STR("reason", control_reason_name(reason)),
			 LOG_ERR(err));
	}
	metrics_count(client->options.metrics, "rubato_agent_control_answers_total",
		      "Answers to plans, by reason of refusal; applied = in force.", "result",
		      reason ? control_reason_name(reason) : "applied");
	client->answer_due = true;
	control_want_write(client);
}

void control_client_missing(struct control_client *client, const struct control_missing *missing)
{
	if (control_missing_equal(&client->missing, missing))
		return;
	client->missing = *missing;
	if (!client->answer_due)
		control_answer_init(client, &client->answer);
	client->answer.missing = *missing;
	if (!client->in_session)
		return;
	client->answer_due = true;
	control_want_write(client);
}

/* --- plans --- */

/* Does the message say something that this version passes over? */
static bool has_unknown(struct control_client *client, const json_t *json, bool is_delta)
{
	const char *first = NULL;
	size_t nr = plan_unknown(json, &first);

	if (!nr)
		return false;
	metrics_count(client->options.metrics, "rubato_agent_control_unknown_total",
		      "Plans and deltas with something that this version does not know.", "message",
		      is_delta ? "delta" : "plan");
	if (!client->told_unknown)
		log_warn("the controller is of a newer version: what this agent does not know is "
			 "passed over",
			 LOG_STR("first", first), LOG_UINT("nr", nr));
	client->told_unknown = true;
	return true;
}

/* Build what the message says, a delta to `base` (NULL = a whole plan); the reason if it cannot be.  `abridged`: what is
 * built has less than what was announced. */
static enum control_reason build(const struct plan *base, const struct control_head *head,
				 const json_t *json, bool abridged, struct plan *ret,
				 struct err *err)
{
	char hash[PLAN_HASH_HEX];
	int r = base ? plan_delta_apply(base, json, now_boot_ns(), ret, err)
		     : plan_from_json(json, now_boot_ns(), ret, err);

	if (r < 0) /* after a bad delta the full plan may be right */
		return base ? CONTROL_REASON_HASH : CONTROL_REASON_INVALID;
	plan_hash(ret, hash);
	if (abridged || strcmp(hash, head->hash) == 0)
		return CONTROL_REASON_NONE;
	plan_release(ret);
	err_set(err, -EPROTO, "the content's hash is %s, announced was %s", hash, head->hash);
	return CONTROL_REASON_HASH;
}

static void take_plan(struct control_client *client, const struct control_head *head,
		      const json_t *json, bool is_delta)
{
	struct plan *plan = xcalloc(1, sizeof(*plan));
	struct err err = ERR_INIT;
	bool abridged = has_unknown(client, json, is_delta) || (is_delta && client->abridged);
	enum control_reason reason =
		build(is_delta ? client->plan : NULL, head, json, abridged, plan, &err);

	if (!reason && control_apply(client, plan, &err) < 0) {
		plan_release(plan);
		reason = CONTROL_REASON_APPLY;
	}
	if (reason) {
		free(plan);
		answer(client, head, reason, &err);
		return;
	}
	if (client->plan)
		plan_release(client->plan);
	free(client->plan);
	client->plan = plan;
	client->abridged = abridged;
	client->alive = 0;
	control_look_at_boosts(client);
	client_fsm_applied(&client->fsm, head->hash);
	answer(client, head, CONTROL_REASON_NONE, NULL);
	control_save_soon(client);
	control_arm(client);
}

static int refresh(struct control_client *client, const json_t *json, struct err *err)
{
	const json_t *boosts = json_object_get(json, "boosts");
	int r = 0;

	if (client->plan && boosts)
		r = plan_refresh_boosts(client->plan, boosts, now_boot_ns(), err);
	if (r <= 0)
		return r;
	if (control_look_at_boosts(client))
		apply_again(client);
	control_save_soon(client);
	control_arm(client);
	return 0;
}

/* Either it is a ghost, or its clock was ahead when it or another was started, and what it knew of that is
 * lost: that a person has to decide. */
static void hang_up_on_stale(struct control_client *client, const struct control_epoch *epoch)
{
	const char *dir = client->options.state_dir;
	char why[WS_WHY_BYTES];

	snprintf(why, sizeof(why), "stale epoch: %lld/%lld, this agent has obeyed %lld/%lld",
		 (long long)epoch->t, (long long)epoch->n, (long long)client->fsm.newest.t,
		 (long long)client->fsm.newest.n);
	log_warn("we hang up on a controller that is older than one we have obeyed; if it is the "
		 "right one, "
		 "stop this agent, remove its file `epoch`, and start it again",
		 LOG_STR("why", why), LOG_STR("state_dir", dir ? dir : ""));
	control_hang_up(client, CONTROL_CLOSE_STALE, why);
}

/* From here on: 0, or -EPROTO to hang up. */
static int on_plan(struct control_client *client, const char *body, size_t len, const char *hash,
		   struct err *err)
{
	cleanup(json_decrefp) json_t *json = NULL;
	struct err why = ERR_INIT;
	struct control_head head;
	bool is_delta = !hash;

	if (len > (size_t)LIMIT_PLAN_BYTES)
		return err_set(err, -EPROTO, "a plan of more than %d bytes", LIMIT_PLAN_BYTES);
	if (control_head_unpack(body, len, &head, &json, err) < 0)
		return -EPROTO;
	if (hash && strcmp(hash, head.hash) != 0)
		return err_set(err, -EPROTO, "config_hash and the plan's hash differ");
	switch (client_fsm_plan(&client->fsm, &head, is_delta)) {
	case CLIENT_TAKE:
		take_plan(client, &head, json, is_delta);
		return 0;
	case CLIENT_SAME:
		answer(client, &head, CONTROL_REASON_NONE, NULL);
		return refresh(client, json, err);
	case CLIENT_NO_BASE:
		err_set(&why, -EPROTO, "a delta to a plan that is not in force");
		answer(client, &head, CONTROL_REASON_BASE, &why);
		return 0;
	case CLIENT_STALE:
		err_set(&why, -EPROTO, "a newer controller was seen");
		answer(client, &head, CONTROL_REASON_STALE, &why);
		hang_up_on_stale(client, &head.epoch);
		return 0;
	case CLIENT_DROP:
		metrics_count(client->options.metrics, "rubato_agent_control_drops_total",
			      "Messages that were ignored, by reason.", "reason", "old-generation");
		return 0;
	case CLIENT_NONSENSE:
		break;
	}
	return err_set(err, -EPROTO, "a plan outside of its session");
}

static int on_session(struct control_client *client, const struct opamp_custom *custom,
		      struct err *err)
{
	struct control_session session;
	struct control_epoch newest = client->fsm.newest;
	enum client_verdict verdict;

	if (control_session_unpack(custom->body, custom->body_len, &session, err) < 0)
		return -EPROTO;
	verdict = client_fsm_session(&client->fsm, &session, now_boot_ns());
	if (verdict == CLIENT_STALE) {
		metrics_count(client->options.metrics, "rubato_agent_control_drops_total",
			      "Messages that were ignored, by reason.", "reason", "stale-epoch");
		hang_up_on_stale(client, &session.epoch);
		return 0;
	}
	if (verdict != CLIENT_TAKE)
		return err_set(err, -EPROTO, "a session out of turn");
	if (control_epoch_cmp(&newest, &client->fsm.newest) != 0)
		control_save_epoch(client);
	memcpy(client->node, session.node, sizeof(client->node));
	client->in_session = true;
	metric_set(client->connected, 1);
	log_info("in session with the controller", LOG_STR("node", client->node));
	control_arm(client);
	if (client->events.state)
		client->events.state(client->ctx, true, client->node, "");
	return 0;
}

static int on_ttl(struct control_client *client, const struct opamp_custom *custom, struct err *err)
{
	cleanup(json_decrefp) json_t *json = NULL;
	struct control_head head;

	if (control_head_unpack(custom->body, custom->body_len, &head, &json, err) < 0)
		return -EPROTO;
	switch (client_fsm_ttl(&client->fsm, &head.epoch)) {
	case CLIENT_TAKE:
		return refresh(client, json, err);
	case CLIENT_STALE:
		hang_up_on_stale(client, &head.epoch);
		return 0;
	default:
		return err_set(err, -EPROTO, "a ttl outside of its session");
	}
}

static int on_custom(struct control_client *client, const struct opamp_custom *custom,
		     struct err *err)
{
	if (strcmp(custom->type, CONTROL_SESSION) == 0)
		return on_session(client, custom, err);
	if (strcmp(custom->type, CONTROL_TTL) == 0)
		return on_ttl(client, custom, err);
	if (strcmp(custom->type, CONTROL_DELTA) == 0)
		return on_plan(client, custom->body, custom->body_len, NULL, err);
	return 0; /* of a newer controller */
}

void control_on_message(struct control_client *client)
{
	struct opamp_to_agent msg;
	struct err err = ERR_INIT;
	int r = opamp_to_agent_unpack(client->rx.bytes, client->rx.len, &msg, &err);

	metric_add(client->bytes_in, (double)client->rx.len);
	if (r == 0) {
		if (msg.error[0])
			log_warn("the controller complains", LOG_STR("err", msg.error));
		if (msg.custom.type[0])
			r = on_custom(client, &msg.custom, &err);
		if (r == 0 && msg.plan)
			r = on_plan(client, msg.plan, msg.plan_len, msg.hash, &err);
		opamp_to_agent_release(&msg);
	}
	if (r < 0) {
		log_warn("the controller broke the protocol", LOG_ERR(&err));
		control_hang_up(client, CONTROL_CLOSE_PROTOCOL, err.text);
	}
}
