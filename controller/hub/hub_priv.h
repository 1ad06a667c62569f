/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_HUB_HUB_PRIV_H
#define CONTROLLER_HUB_HUB_PRIV_H

/* What the files of the hub share.
 *
 *	hub.c		nodes, plans, timers, the public functions
 *	hub_conn.c	one connection: bytes in, bytes out
 *	hub_answer.c	what agents say
 *	hub_auth.c	who an agent is
 *	hub_gate.c	listening, and who stands at the door
 */

#include "controller/core/session/door.h"
#include "controller/core/session/hub_fsm.h"
#include "controller/hub/hub.h"
#include "lib/control/ws.h"
#include "lib/control/ws_message.h"
#include "lib/core/control/opamp.h"
#include "lib/core/plan/plan_pack.h"
#include "lib/observe/metrics.h"

#include <uv.h>

#define HUB_AUTH_MAX 256 /* tokens under review; further connections wait in the backlog */

/* A plan that several hands hold: wanted, in flight, confirmed. */
struct hub_plan {
	unsigned refs;
	char hash[PLAN_HASH_HEX];
	struct plan_pack *pack;
};
struct hub_plan *hub_plan_ref(struct hub_plan *plan);
void hub_plan_unref(struct hub_plan *plan); /* NULL is fine */

/* A connection with a good certificate.  It lives as long as its socket.  While `auth` is there it has no
 * peer yet; `peer` goes when another connection has taken the node, or when it is being closed. */
struct hub_conn {
	struct hub *hub;
	struct lws *wsi;
	struct hub_auth *auth;
	struct hub_peer *peer;
	int64_t deadline_ns; /* of the review, then of the token; INT64_MAX = none */
	uint8_t uid[OPAMP_UID_BYTES];
	char pod_uid[64]; /* "" = not known */
	bool knows_us;
	struct ws_message rx;
	bool rx_whole; /* rx is a message that waits for the review */
	struct ws_bye bye;
	bool tell_why; /* by an OpAMP error message before that */
};

/* A node: what is wanted of it, whether or not its agent is here. */
struct hub_peer {
	struct hub *hub;
	char *name;
	struct hub_fsm fsm;
	struct hub_conn *conn;
	struct hub_plan *wanted, *flight, *have;
	uint8_t uid[OPAMP_UID_BYTES]; /* of the agent process last seen */
	char error[CONTROL_ERROR_BYTES];
	bool clamped;
	uint32_t max_rate_hz;
	struct control_missing *missing; /* NULL = nothing */
	bool missing_news;		 /* the owner was not told yet */
	int64_t sent_ns;
	bool leaving; /* the node is no more; the peer goes when the last plan is answered */
	/* As last told to the owner. */
	enum hub_state told_state;
	char told_have[PLAN_HASH_HEX];
	bool told_clamped;
	uint32_t told_rate_hz;
};

struct hub_gate {
	int fd;
	int port;
	int spare; /* a descriptor to give up, so that somebody can be turned away when there is no other */
	bool listening, polling;
	int64_t rest_until_ns; /* nobody is let in; 0 = no rest */
	int64_t warned_ns;
	int64_t minute_ns; /* when the count of lines about failed handshakes began */
	unsigned lines, unsaid;
	uv_poll_t poll;
	uv_timer_t timer;
	/* Who has come in and is not an agent yet; oldest first. */
	struct door_visitor visitor[DOOR_MAX];
	struct lws *wsi[DOOR_MAX];
	size_t nr;
};

struct hub {
	uv_loop_t *loop;
	struct ws *ws;
	struct hub_gate gate;
	uv_timer_t timer;
	int64_t wake_ns;
	struct control_epoch epoch;
	uint32_t ttl_ms;
	int64_t gen_floor; /* no generation of this epoch is used twice, even if a node comes back */
	struct hub_peer **peer; /* sorted by name */
	size_t peer_nr;
	size_t conn_nr;
	size_t auth_nr; /* connections whose token is being reviewed */
	void (*authenticate)(void *ctx, const char *token, const char *cert_name,
			     struct hub_auth *auth);
	bool (*is_node)(void *ctx, const char *name);
	void *auth_ctx;
	struct hub_events events;
	void *ctx;
	bool closing;
	int handles; /* of ours still on the loop */
	void (*done)(void *ctx);
	void *done_ctx;
	struct metrics *metrics;
	struct metric *bytes_in, *bytes_out, *handshakes, *handshakes_failed, *stale,
		*confirm_seconds;
	int64_t stale_told_ns; /* when a line last said that agents know a newer controller; 0 = never */
};

/* hub.c: for hub_conn.c. */
struct hub_peer *hub_peer_get(struct hub *hub, const char *name); /* made if it is not there */
/* The peer changed: write, re-arm, tell the owner.  Last of all: the peer may be gone afterwards. */
void hub_peer_settle(struct hub_peer *peer);

/* hub_conn.c */
extern const struct lws_protocols hub_protocols[];
void hub_conn_close(struct hub_conn *conn, int code, const char *why);
/* Act on the whole message in rx. */
void hub_conn_message(struct hub_conn *conn);

/* hub_auth.c */
/* A connection stands: it gets its peer, or a review begins, which may have ended already.  -1 = hang up. */
must_check int hub_auth_begin(struct hub_conn *conn);
void hub_auth_forget(struct hub_conn *conn); /* the connection goes */
void hub_auth_timer(struct hub_conn *conn);  /* deadline_ns may have come */

/* hub_answer.c: what an agent says of itself and of plans.  -EPROTO = hang up. */
must_check int hub_conn_status(struct hub_conn *conn, const struct opamp_from_agent *msg,
			       struct err *err);

/* hub_gate.c */
/* `wait`: until hub_gate_listen(). */
must_check int hub_gate_open(struct hub *hub, const char *listen, bool wait, struct err *err);
must_check int hub_gate_listen(struct hub *hub, struct err *err);
void hub_gate_close(struct hub *hub, uv_close_cb on_closed); /* called for HUB_GATE_HANDLES */
#define HUB_GATE_HANDLES 2
void hub_gate_look(struct hub *hub); /* room may have come or gone */
/* A handshake failed: log it, but no more than a few lines a minute. */
void hub_gate_trouble(void *hub, const char *address, const char *why);
void hub_gate_passed(struct hub *hub, struct lws *wsi); /* a handshake ended, well or badly */

#endif
