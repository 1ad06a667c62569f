/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/session/hub_fsm.h"

#include <string.h>

static const struct {
	int64_t quiet_ns, longest_ns;
} lanes[] = {
	[HUB_LANE_NOW] = { 0, 0 },
	[HUB_LANE_EDIT] = { 25 * NSEC_PER_MSEC, 100 * NSEC_PER_MSEC },
	[HUB_LANE_CHURN] = { 250 * NSEC_PER_MSEC, NSEC_PER_SEC },
};

static bool same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static void set_hash(char *dst, const char *hash)
{
	memmove(dst, hash, strlen(hash) + 1);
}

static void set_have(struct hub_fsm *fsm, const char *hash)
{
	if (same(hash, fsm->wanted))
		fsm->have_seq = fsm->wanted_seq;
	else if (!same(hash, fsm->have))
		fsm->have_seq = 0;
	set_hash(fsm->have, hash);
}

void hub_fsm_init(struct hub_fsm *fsm, uint32_t ttl_ms)
{
	*fsm = (struct hub_fsm){ .ttl_period_ns = ttl_ms * NSEC_PER_MSEC / 3 };
}

static bool is_refused(const struct hub_fsm *fsm, int64_t now_ns)
{
	return same(fsm->refused, fsm->wanted) && now_ns < fsm->refused_until;
}

/* After an answer that did not come (must_full) nobody knows what the agent has. */
static bool is_confirmed(const struct hub_fsm *fsm)
{
	return fsm->wanted[0] && !fsm->inflight && !fsm->must_full && same(fsm->wanted, fsm->have);
}

/* A plan shall go out, now or when it has been quiet. */
static bool is_behind(const struct hub_fsm *fsm, int64_t now_ns)
{
	return fsm->phase == HUB_PHASE_READY && fsm->wanted[0] && !fsm->inflight &&
	       !is_confirmed(fsm) && !is_refused(fsm, now_ns);
}

static bool plan_is_due(const struct hub_fsm *fsm, int64_t now_ns)
{
	return is_behind(fsm, now_ns) && (!fsm->waiting || now_ns >= fsm->send_at);
}

/* A hastier lane takes along what waits in a slower one (R2). */
static void wait_for_quiet(struct hub_fsm *fsm, enum hub_lane lane, int64_t now_ns)
{
	if (!fsm->waiting) {
		fsm->waiting = true;
		fsm->lane = lane;
		fsm->send_by = INT64_MAX;
	}
	fsm->lane = MIN(fsm->lane, lane);
	fsm->send_by = MIN(fsm->send_by, now_ns + lanes[fsm->lane].longest_ns);
	fsm->send_at = MIN(fsm->send_by, now_ns + lanes[fsm->lane].quiet_ns);
}

void hub_fsm_want(struct hub_fsm *fsm, const char *hash, bool has_boosts, bool clocks_moved,
		  enum hub_lane lane, int64_t now_ns)
{
	fsm->has_boosts = has_boosts;
	if (same(hash, fsm->wanted)) {
		if (clocks_moved)
			fsm->ttl_due = has_boosts;
		return;
	}
	set_hash(fsm->wanted, hash);
	fsm->wanted_seq++;
	/* The agent may have what is in flight by now, although it has not said so. */
	if (!fsm->inflight)
		set_have(fsm, fsm->have);
	wait_for_quiet(fsm, lane, now_ns);
}

static void forget_flight(struct hub_fsm *fsm)
{
	fsm->inflight = fsm->resent = fsm->must_full = false;
}

void hub_fsm_connect(struct hub_fsm *fsm, int64_t now_ns)
{
	hub_fsm_gone(fsm);
	fsm->phase = HUB_PHASE_HELLO;
	fsm->hello_by = now_ns + HUB_HELLO_NS;
}

void hub_fsm_gone(struct hub_fsm *fsm)
{
	fsm->phase = HUB_PHASE_ABSENT;
	fsm->asked = fsm->ask_due = false;
	fsm->session_due = fsm->reply_due = fsm->ttl_due = false;
	forget_flight(fsm);
}

bool hub_fsm_ask(struct hub_fsm *fsm)
{
	if (fsm->asked)
		return false;
	fsm->asked = fsm->ask_due = true;
	return true;
}

void hub_fsm_hello(struct hub_fsm *fsm, const char *have, bool is_new_process)
{
	fsm->phase = HUB_PHASE_READY;
	fsm->ask_due = false;
	fsm->session_due = true;
	set_have(fsm, have);
	/* Its clocks may have run out while it was alone. */
	fsm->ttl_due = true;
	if (is_new_process)
		fsm->refused[0] = '\0';
}

void hub_fsm_message(struct hub_fsm *fsm)
{
	fsm->reply_due = true;
}

static enum hub_verdict refuse(struct hub_fsm *fsm, int64_t now_ns)
{
	set_hash(fsm->refused, fsm->inflight_hash);
	fsm->refused_until = now_ns + HUB_REFUSED_NS;
	forget_flight(fsm);
	return HUB_VERDICT_REFUSED;
}

enum hub_verdict hub_fsm_answer(struct hub_fsm *fsm, const struct control_applied *applied,
				int64_t now_ns)
{
	if (!fsm->inflight || applied->gen != fsm->gen || !same(applied->hash, fsm->inflight_hash))
		return HUB_VERDICT_IGNORED;
	fsm->timed_out = false;
	if (applied->result != CONTROL_FAILED) {
		set_hash(fsm->have, fsm->inflight_hash);
		fsm->have_seq = fsm->inflight_seq;
		set_have(fsm, fsm->have);
		fsm->refused[0] = '\0';
		forget_flight(fsm);
		return HUB_VERDICT_APPLIED;
	}
	set_have(fsm, applied->have);
	if (fsm->inflight_delta &&
	    (applied->reason == CONTROL_REASON_BASE || applied->reason == CONTROL_REASON_HASH)) {
		fsm->inflight = false;
		fsm->must_full = true;
		return HUB_VERDICT_RETRY;
	}
	return refuse(fsm, now_ns);
}

enum hub_verdict hub_fsm_applying(struct hub_fsm *fsm, const char *hash, int64_t now_ns)
{
	if (!fsm->inflight || !same(hash, fsm->inflight_hash))
		return HUB_VERDICT_IGNORED;
	fsm->ack_by = now_ns + HUB_APPLYING_NS;
	return HUB_VERDICT_WORKING;
}

int hub_fsm_tick(struct hub_fsm *fsm, int64_t now_ns)
{
	if (fsm->phase == HUB_PHASE_HELLO && now_ns >= fsm->hello_by) {
		hub_fsm_gone(fsm);
		return HUB_CLOSE_PROTOCOL;
	}
	if (fsm->inflight && now_ns >= fsm->ack_by) {
		if (fsm->resent) {
			hub_fsm_gone(fsm);
			fsm->timed_out = true;
			return HUB_CLOSE_PROTOCOL;
		}
		fsm->inflight = false;
		fsm->resent = fsm->must_full = true;
	}
	if (fsm->phase == HUB_PHASE_READY && fsm->has_boosts && now_ns >= fsm->ttl_at)
		fsm->ttl_due = true;
	return 0;
}

int64_t hub_fsm_wake_ns(const struct hub_fsm *fsm, int64_t now_ns)
{
	int64_t wake = INT64_MAX;

	if (fsm->phase == HUB_PHASE_ABSENT)
		return wake;
	if (fsm->phase == HUB_PHASE_HELLO)
		return fsm->hello_by;
	if (hub_fsm_wants_write(fsm, now_ns))
		return now_ns;
	if (fsm->inflight)
		wake = MIN(wake, fsm->ack_by);
	else if (is_behind(fsm, now_ns))
		wake = MIN(wake, fsm->send_at);
	else if (is_refused(fsm, now_ns))
		wake = MIN(wake, fsm->refused_until);
	if (fsm->has_boosts)
		wake = MIN(wake, fsm->ttl_at);
	return wake;
}

bool hub_fsm_wants_write(const struct hub_fsm *fsm, int64_t now_ns)
{
	if (fsm->phase == HUB_PHASE_HELLO)
		return fsm->ask_due;
	return fsm->phase == HUB_PHASE_READY &&
	       (fsm->session_due || fsm->reply_due || (fsm->ttl_due && fsm->has_boosts) ||
		plan_is_due(fsm, now_ns));
}

static enum hub_send take_plan(struct hub_fsm *fsm, bool has_base, int64_t now_ns)
{
	fsm->inflight_delta = has_base && fsm->have[0] && !fsm->must_full;
	fsm->inflight = true;
	fsm->waiting = fsm->must_full = false;
	fsm->gen++;
	set_hash(fsm->inflight_hash, fsm->wanted);
	fsm->inflight_seq = fsm->wanted_seq;
	fsm->ack_by = now_ns + HUB_ACK_NS;
	/* A plan carries its boosts' clocks. */
	fsm->ttl_due = false;
	fsm->ttl_at = now_ns + fsm->ttl_period_ns;
	return fsm->inflight_delta ? HUB_SEND_DELTA : HUB_SEND_FULL;
}

enum hub_send hub_fsm_take(struct hub_fsm *fsm, bool has_base, int64_t now_ns)
{
	if (fsm->phase == HUB_PHASE_HELLO && fsm->ask_due) {
		fsm->ask_due = false;
		return HUB_SEND_ASK;
	}
	if (fsm->phase != HUB_PHASE_READY)
		return HUB_SEND_NOTHING;
	if (fsm->session_due) {
		fsm->session_due = fsm->reply_due = false;
		return HUB_SEND_SESSION;
	}
	if (plan_is_due(fsm, now_ns)) {
		fsm->reply_due = false;
		return take_plan(fsm, has_base, now_ns);
	}
	if (fsm->ttl_due && fsm->has_boosts) {
		fsm->ttl_due = fsm->reply_due = false;
		fsm->ttl_at = now_ns + fsm->ttl_period_ns;
		return HUB_SEND_TTL;
	}
	if (fsm->reply_due) {
		fsm->reply_due = false;
		return HUB_SEND_REPLY;
	}
	return HUB_SEND_NOTHING;
}

enum hub_state hub_fsm_state(const struct hub_fsm *fsm, int64_t now_ns)
{
	if (fsm->phase != HUB_PHASE_READY)
		return HUB_ABSENT;
	if (is_confirmed(fsm))
		return HUB_APPLIED;
	return fsm->timed_out || is_refused(fsm, now_ns) ? HUB_FAILED : HUB_PENDING;
}
