/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CONTROL_CONTROL_PRIV_H
#define AGENT_CONTROL_CONTROL_PRIV_H

/* What the files of the control client share.
 *
 *	control_client.c	life, timers, the public functions
 *	control_client_plan.c	messages, plans, boosts
 *	control_client_disk.c	the last good plan and the highest epoch
 *	control_client_token.c	the bearer token
 *	control_client_ws.c	addresses, the connection, bytes in and out
 */

#include "agent/control/control_client.h"
#include "agent/core/plan/client_fsm.h"
#include "lib/control/ws.h"
#include "lib/control/ws_message.h"
#include "lib/core/control/opamp.h"
#include "lib/core/text/address.h"
#include "lib/observe/metrics.h"

#include <netinet/in.h>
#include <uv.h>

#define CONTROL_ADDRESSES 16
#define CONTROL_CLOSE_PROTOCOL 4008
#define CONTROL_CLOSE_STALE 4009

struct control_client {
	uv_loop_t *loop;
	struct control_client_options options; /* strings are ours */
	struct control_client_events events;
	void *ctx;
	struct ws *ws;
	struct client_fsm fsm;
	char node[LIMIT_NAME_BYTES + 1];
	struct address controller;

	/* The plan in force. */
	struct plan *plan; /* NULL = none yet */
	bool abridged;	   /* it has less than the controller said: its hash cannot be checked */
	bool told_unknown;
	size_t alive;	/* its boosts that run */
	int64_t end_ns; /* when the next of them ends; INT64_MAX = none runs */
	bool again;	/* the end of a boost could not be applied: retry at end_ns */
	bool clamped;
	struct control_missing missing;
	bool dirty; /* not on disk yet */

	/* The connection. */
	char *token;	 /* from reading the file until the upgrade is written */
	struct lws *wsi; /* NULL = none; callbacks of others are ignored */
	bool in_session;
	uint8_t uid[OPAMP_UID_BYTES];
	uint64_t seq;
	struct ws_message rx;
	bool hello_due, answer_due, leaving;
	struct control_applied answer;
	struct ws_bye bye; /* after what is due is written */
	char lost_why[256];

	/* Where the controller may be; the last good answer of the resolver stays (F29). */
	uv_getaddrinfo_t resolve;
	bool resolving;
	char address[CONTROL_ADDRESSES][INET6_ADDRSTRLEN];
	size_t address_nr;

	uv_timer_t timer;      /* the state machine and the ends of boosts */
	uv_timer_t save_timer; /* the disk, a little later */
	bool closing;
	int handles;
	void (*done)(void *ctx);
	void *done_ctx;
	struct metric *bytes_in, *bytes_out, *connected, *expiries, *attempts;
};

/* control_client.c */
void control_arm(struct control_client *client);

/* control_client_disk.c */
void control_load(struct control_client *client);
void control_save(struct control_client *client); /* at once, if there is something to save */
void control_save_soon(struct control_client *client);
void control_save_epoch(const struct control_client *client);

/* control_client_plan.c */
must_check int control_apply(struct control_client *client, const struct plan *plan,
			     struct err *err);
/* Count the boosts that run and find the next end; true if one began or ended since last time. */
bool control_look_at_boosts(struct control_client *client);
void control_on_message(struct control_client *client);
/* Re-apply if a boost has ended. */
void control_check_boosts(struct control_client *client);
void control_answer_init(const struct control_client *client, struct control_applied *answer);

/* control_client_token.c */
/* Read the file; 0 also when there is none to read.  -EINVAL, -ENOENT, ... with a sentence. */
must_check int control_token_read(struct control_client *client, struct err *err);
void control_token_forget(struct control_client *client);
/* Add the header at *at; -1 = there is no room. */
must_check int control_token_put(struct control_client *client, struct lws *wsi, unsigned char **at,
				 unsigned char *end);

/* control_client_ws.c */
extern const struct lws_protocols control_protocols[];
void control_connect(struct control_client *client);
void control_abandon(struct control_client *client, const char *why); /* what is under way failed */
void control_hang_up(struct control_client *client, int code, const char *why); /* politely */
void control_trouble(void *client, const char *address, const char *why);
void control_want_write(struct control_client *client);

#endif
