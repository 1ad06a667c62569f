/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PLAN_CLIENT_FSM_H
#define AGENT_CORE_PLAN_CLIENT_FSM_H

/* The agent's end of the control channel as a state machine: when to connect, what to believe.
 * Each event is a function; times are CLOCK_BOOTTIME nanoseconds; randomness comes in as `rnd`,
 * evenly distributed over 32 bits.  Pure.  The rules (R9, R14, R19) are in docs/protocol.md.
 *
 *	WAIT -time-> CONNECT -connected-> HELLO -session-> SYNCED
 *	  ^------------------ lost, from any of them ---------'
 */

#include "lib/core/base.h"
#include "lib/core/control/control_msg.h"

#define CLIENT_CONNECT_NS (15 * NSEC_PER_SEC) /* until the connection stands */
#define CLIENT_SESSION_NS (5 * NSEC_PER_SEC)  /* from then until `session` */
#define CLIENT_CALM_NS                                                                             \
	(60 * NSEC_PER_SEC)   /* in session this long: earlier failures are forgotten */
#define CLIENT_SPREAD_MS 5000 /* until a session says otherwise */

enum client_phase {
	CLIENT_WAIT,
	CLIENT_CONNECT,
	CLIENT_HELLO,
	CLIENT_SYNCED,
};

enum client_todo {
	CLIENT_DO_NOTHING,
	CLIENT_DO_CONNECT,
	CLIENT_DO_CLOSE, /* a deadline passed: close, then call client_fsm_lost() */
};

/* What to do with a message. */
enum client_verdict {
	CLIENT_TAKE,	 /* act on it */
	CLIENT_SAME,	 /* a plan that is in force already: confirm it, refresh clocks */
	CLIENT_DROP,	 /* old: ignore */
	CLIENT_NO_BASE,	 /* a delta to a plan that is not in force: ask for the full one */
	CLIENT_STALE,	 /* from a controller that has been replaced: say so and close 4009 */
	CLIENT_NONSENSE, /* against the protocol: close 4008 */
};

struct client_fsm {
	enum client_phase phase;
	int64_t at; /* WAIT: connect then; CONNECT, HELLO: give up then */
	int64_t synced_at, lost_at;
	unsigned failures; /* in a row */
	uint32_t spread_ms;
	struct control_epoch newest;  /* ever seen; kept on disk by the shell */
	struct control_epoch session; /* of this connection */
	int64_t gen;		      /* of the last plan in this epoch */
	char have[PLAN_HASH_HEX];     /* in force; "" = none */
};

/* A process that starts: the first attempt is due at once. */
void client_fsm_init(struct client_fsm *fsm, const struct control_epoch *newest, const char *have,
		     int64_t now_ns);

enum client_todo client_fsm_tick(struct client_fsm *fsm, int64_t now_ns);
/* When client_fsm_tick() next has something to do; INT64_MAX = never. */
int64_t client_fsm_wake_ns(const struct client_fsm *fsm);

void client_fsm_connected(struct client_fsm *fsm, int64_t now_ns);
/* The connection is gone or was not made; `refused`: nobody listens there. */
void client_fsm_lost(struct client_fsm *fsm, bool refused, uint32_t rnd, int64_t now_ns);

enum client_verdict client_fsm_session(struct client_fsm *fsm,
				       const struct control_session *session, int64_t now_ns);
enum client_verdict client_fsm_plan(struct client_fsm *fsm, const struct control_head *head,
				    bool is_delta);
enum client_verdict client_fsm_ttl(const struct client_fsm *fsm, const struct control_epoch *epoch);

/* The plan of `hash` is in force. */
void client_fsm_applied(struct client_fsm *fsm, const char *hash);

#endif
