/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_SESSION_HUB_FSM_H
#define CONTROLLER_CORE_SESSION_HUB_FSM_H

/* What the hub knows and owes about one node, as a state machine: what is wanted, what is in flight, what
 * its agent confirmed.  One struct per node; each event is a function; hub_fsm_take() says what to write
 * when the socket can take something.  Hashes stand for plans, times are nanoseconds of one clock that
 * never goes back.  The rules (R1..R25) are in docs/protocol.md.
 *
 *	ABSENT -connect-> HELLO -hello-> READY
 *	  ^-------- gone, or a close code that was returned --------'
 *
 * In READY the plan is in one of: in sync, waiting (for quiet), in flight, refused (until a time).
 * At most one plan is unconfirmed at any time (R5).
 */

#include "controller/core/session/lane.h"
#include "controller/core/session/node_state.h"
#include "lib/core/base.h"
#include "lib/core/control/control_msg.h"
#include "lib/core/plan/plan.h"

/* Close codes of ours; others are WebSocket's own. */
enum {
	HUB_CLOSE_DRAIN = 4001,		  /* the controller goes down: come back by yourself */
	HUB_CLOSE_SUPERSEDED = 4003,	  /* the node has a newer connection, or is no more */
	HUB_CLOSE_PROTOCOL = 4008,	  /* nonsense, or no answer in time */
	HUB_CLOSE_STALE = 4009,		  /* the agent has seen a newer controller */
	HUB_CLOSE_UNAUTHENTICATED = 4401, /* its token was refused, or has expired */
};

#define HUB_HELLO_NS (5 * NSEC_PER_SEC)	    /* first message after the connection */
#define HUB_ACK_NS (3 * NSEC_PER_SEC)	    /* a plan's answer */
#define HUB_APPLYING_NS (30 * NSEC_PER_SEC) /* the same, once the agent said it is at it */
#define HUB_REFUSED_NS (300 * NSEC_PER_SEC) /* before the same content is tried again */

enum hub_phase {
	HUB_PHASE_ABSENT,
	HUB_PHASE_HELLO, /* connected, has not spoken */
	HUB_PHASE_READY,
};

enum hub_send {
	HUB_SEND_NOTHING,
	HUB_SEND_ASK, /* for the agent's full state */
	HUB_SEND_SESSION,
	HUB_SEND_FULL,
	HUB_SEND_DELTA,
	HUB_SEND_TTL,
	HUB_SEND_REPLY, /* an empty message: OpAMP answers each one */
};

struct hub_fsm {
	enum hub_phase phase;
	int64_t hello_by;
	bool asked, ask_due;
	bool session_due, reply_due, ttl_due;
	int64_t ttl_period_ns, ttl_at;

	char wanted[PLAN_HASH_HEX]; /* "" = nobody said */
	uint64_t wanted_seq;	    /* how many contents have been wanted so far */
	bool has_boosts;	    /* the wanted plan's, with time left */
	bool waiting;		    /* for quiet */
	enum hub_lane lane;
	int64_t send_at, send_by;

	bool inflight;
	uint64_t inflight_seq;
	int64_t gen; /* of the last plan sent */
	char inflight_hash[PLAN_HASH_HEX];
	bool inflight_delta;
	int64_t ack_by;
	bool resent;	/* the one repetition is used up */
	bool must_full; /* the agent lacks the base */

	char have[PLAN_HASH_HEX]; /* what the agent last confirmed; "" = nothing we know of */
	uint64_t have_seq;	  /* what of all that was wanted is in it; 0 = not known */
	char refused[PLAN_HASH_HEX];
	int64_t refused_until;
	bool timed_out; /* its last plan was never answered */
};

/* What an answer did, for counters. */
enum hub_verdict {
	HUB_VERDICT_IGNORED, /* answers nothing that is in flight */
	HUB_VERDICT_APPLIED,
	HUB_VERDICT_RETRY, /* the full plan goes out next */
	HUB_VERDICT_REFUSED,
	HUB_VERDICT_WORKING, /* has more time */
};

/* An absent node of which nothing is wanted.  `ttl_ms` is the boosts' dead-man time. */
void hub_fsm_init(struct hub_fsm *fsm, uint32_t ttl_ms);

/* This content is wanted.  `has_boosts`: it names boosts that still run; `clocks_moved`: their
 * deadlines are not those of the plan wanted before. */
void hub_fsm_want(struct hub_fsm *fsm, const char *hash, bool has_boosts, bool clocks_moved,
		  enum hub_lane lane, int64_t now_ns);

/* A connection of the node; it replaces any other. */
void hub_fsm_connect(struct hub_fsm *fsm, int64_t now_ns);
void hub_fsm_gone(struct hub_fsm *fsm);

/* Its first message says nothing of its state: it is asked, once, and its next message is taken as its first.
 * False when it was asked before. */
bool hub_fsm_ask(struct hub_fsm *fsm);
/* Its first message.  `have`: what it says is in force; `is_new_process`: forget old refusals. */
void hub_fsm_hello(struct hub_fsm *fsm, const char *have, bool is_new_process);
/* Any other message: it is owed an answer. */
void hub_fsm_message(struct hub_fsm *fsm);
/* What came of a plan. */
enum hub_verdict hub_fsm_answer(struct hub_fsm *fsm, const struct control_applied *applied,
				int64_t now_ns);
/* It is still at it. */
enum hub_verdict hub_fsm_applying(struct hub_fsm *fsm, const char *hash, int64_t now_ns);

/* Time passed.  0, or the code to close with: then the node is absent. */
int hub_fsm_tick(struct hub_fsm *fsm, int64_t now_ns);
/* When hub_fsm_tick() or hub_fsm_take() next has something to do; INT64_MAX = never. */
int64_t hub_fsm_wake_ns(const struct hub_fsm *fsm, int64_t now_ns);

/* Is there something to write now? */
bool hub_fsm_wants_write(const struct hub_fsm *fsm, int64_t now_ns);
/* What to write now; it counts as written.  `has_base`: the plan of `have` is at hand, so a delta
 * can be made.  For a plan fsm->gen is its generation and fsm->wanted its hash. */
enum hub_send hub_fsm_take(struct hub_fsm *fsm, bool has_base, int64_t now_ns);

enum hub_state hub_fsm_state(const struct hub_fsm *fsm, int64_t now_ns);

#endif
