/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CONTROL_CONTROL_CLIENT_H
#define AGENT_CONTROL_CONTROL_CLIENT_H

/* The agent's end of the control channel: connects, keeps the last good plan (in memory and on disk),
 * hands each new plan to the agent and answers with what came of it.
 *
 * apply() is called with a plan that is valid and verified against its hash.  It returns only when
 * the kernel agrees (0), or with a negative errno and the reason (the previous plan must then still be in force).
 * It is called too when boosts were refreshed or have ended (`plan` is then the same object).
 * The client keeps the plan; the pointer is valid until the next apply().
 */

#include "lib/core/base.h"
#include "lib/core/control/control_msg.h"
#include "lib/core/err.h"
#include "lib/core/plan/plan.h"

struct metrics;
struct uv_loop_s;
struct control_client;

struct control_client_options {
	const char *controller;		  /* "HOST:PORT" */
	const char *server_name;	  /* the name its certificate must bear; NULL = HOST */
	const char *cert_file, *key_file; /* our client certificate; its CN is the node's name */
	const char *ca_file;
	/* A Kubernetes ServiceAccount token that says who we are, read at each connection since it is
	 * replaced every hour; NULL = our certificate says it. */
	const char *token_file;
	const char *state_dir;	 /* last good plan and highest epoch; NULL = keep none */
	uint32_t max_rate_hz;	 /* our ceiling, reported */
	struct metrics *metrics; /* may be NULL */
};

struct control_client_result {
	bool clamped;			/* the local ceiling lowered a rate */
	struct control_missing missing; /* what of it the node has no room for */
};

struct control_client_events {
	int (*apply)(void *ctx, const struct plan *plan, struct control_client_result *result,
		     struct err *err);
	/* Connected and in session, or not any more (then `why`). */
	void (*state)(void *ctx, bool connected, const char *node, const char *why);
};

/* Loads the last good plan (calls apply at once if there is one) and begins to connect. */
must_check int control_client_new(struct uv_loop_s *loop,
				  const struct control_client_options *options,
				  const struct control_client_events *events, void *ctx,
				  struct control_client **ret_client, struct err *err);
void control_client_close(struct control_client *client, void (*done)(void *ctx), void *ctx);
void control_client_free(struct control_client *client);

/* What the node has no room for has changed since apply(): the controller is told. */
void control_client_missing(struct control_client *client, const struct control_missing *missing);

/* The node's name as the controller told it; before, the CN of our certificate. */
const char *control_client_node(const struct control_client *client);

#endif
