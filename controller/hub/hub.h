/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_HUB_HUB_H
#define CONTROLLER_HUB_HUB_H

/* The control port: agents connect by TLS WebSocket (OpAMP), each gets its node's plan.
 *
 * State, not queues: per node one wanted plan and what its agent has confirmed.  hub_set_plan() replaces the
 * wanted one; the message is encoded when the socket can take it, from what is wanted then; one
 * unconfirmed generation is in flight.  "Applied" means that the agent wrote and read back its BPF maps.
 * The rules (R1-R25), limits and messages are in docs/protocol.md; the pure state machine is
 * controller/core/session/hub_fsm.h.
 */

#include "controller/core/session/lane.h"
#include "controller/core/session/node_state.h"
#include "lib/core/base.h"
#include "lib/core/control/control_msg.h"
#include "lib/core/err.h"
#include "lib/core/plan/plan.h"

struct metrics;
struct uv_loop_s;
struct hub;
struct hub_auth; /* a connection whose token is being reviewed */

/* Who an agent is. */
struct hub_identity {
	const char *node;    /* NULL = refused */
	const char *pod_uid; /* "" = not known; for the log */
	int64_t expires_ns; /* CLOCK_BOOTTIME; a fresh token is asked for then.  INT64_MAX = never */
	const char *reason; /* of a refusal: a metric's label, one of few static words */
	const char *why;    /* of a refusal: a sentence, without the token */
};

struct hub_options {
	const char *listen; /* "HOST:PORT", "[::1]:4320"; port 0 = any, see hub_port() */
	const char *cert_file, *key_file; /* ours, PEM */
	const char *ca_file;		  /* signs the agents' client certificates */
	/* By which agents know a restarted controller from a ghost of the old one: newer at each start
	 * (controller/core/session/epoch.h, lease.h), or they refuse us, and say so.  Of hub_open() if we wait. */
	struct control_epoch epoch;
	uint32_t ttl_ms; /* dead-man time of boosts; refreshed every third of it */
	/* Who shows `token` ("" = none)?  Answered by hub_auth_done(), at once or later, exactly once, whatever
	 * becomes of the connection or the hub.  Until then, for HUB_AUTH_MS at most, nothing is sent to the
	 * agent and at most one message of it is kept.  `token` is borrowed for the call, and a secret;
	 * `cert_name` is "" when the certificate has no usable name.  NULL = the certificate's name is the node's. */
	void (*authenticate)(void *ctx, const char *token, const char *cert_name,
			     struct hub_auth *auth);
	/* Without authenticate(): may this be a node?  NULL = any name may. */
	bool (*is_node)(void *ctx, const char *name);
	void *auth_ctx;
	bool wait;		 /* nobody is let in before hub_open() */
	struct metrics *metrics; /* may be NULL */
};

#define HUB_AUTH_MS 5000

struct hub_events {
	/* A node's hub_node changed: look again (hub_node_get). */
	void (*node_changed)(void *ctx, const char *node);
};

/* Listen.  -EINVAL/-EADDRINUSE/... with a sentence. */
must_check int hub_new(struct uv_loop_s *loop, const struct hub_options *options,
		       const struct hub_events *events, void *ctx, struct hub **ret_hub,
		       struct err *err);
/* Let agents in; before, connections are refused.  Errors as of hub_new(). */
must_check int hub_open(struct hub *hub, const struct control_epoch *epoch, struct err *err);
/* Close all with 4001 and stop; `done` is called when nothing of it is left on the loop (it may free). */
void hub_close(struct hub *hub, void (*done)(void *ctx), void *ctx);
void hub_free(struct hub *hub);

int hub_port(const struct hub *hub);

/* The answer to authenticate(); `auth` is void afterwards.  A refused agent is closed with 4401. */
void hub_auth_done(struct hub_auth *auth, const struct hub_identity *identity);
/* False when the connection is gone, so that the answer is of no use (it must be given nevertheless). */
bool hub_auth_wanted(const struct hub_auth *auth);

/* Take over `plan`'s contents (it is zeroed) as what `node` shall do.  An equal plan costs nothing but its
 * boosts' clocks.  Cannot fail.  Boost deadlines are CLOCK_BOOTTIME of this host. */
void hub_set_plan(struct hub *hub, const char *node, struct plan *plan, enum hub_lane lane);
/* The node is no more; its agent, if any, is closed when it has answered for the plan that was set last, or cannot. */
void hub_drop_node(struct hub *hub, const char *node);

/* False when the node was never named and no agent of it is connected. */
bool hub_node_get(const struct hub *hub, const char *node, struct hub_node *ret_node);

#endif
