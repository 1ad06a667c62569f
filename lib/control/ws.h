/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CONTROL_WS_H
#define LIB_CONTROL_WS_H

/* libwebsockets on our loop, set up the one way that we use it: TLS 1.2 or newer, certificates on both
 * sides, HTTP/1.1 only, no extensions, pings, log lines through lib/log.h.
 *
 * libwebsockets sizes its tables by the limit of open files, so making the first context lowers that
 * limit of the process to WS_FILES_MAX if it is higher.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"

#include <libwebsockets.h>

#define WS_FILES_MAX 16384
#define WS_PING_SECONDS 15		   /* of silence before a ping */
#define WS_HANGUP_SECONDS 25		   /* of silence before the connection is given up */
#define WS_TOKEN_BYTES ((size_t)16 * 1024) /* the longest bearer token of an upgrade */
#define WS_WHY_BYTES 100		   /* a reason in a close frame, with its NUL */

struct metrics;
struct uv_loop_s;
struct ws;

struct ws_options {
	const struct lws_protocols *protocols; /* ended by LWS_PROTOCOL_LIST_TERM's zeros; kept */
	bool is_server;
	const char *cert_file, *key_file, *ca_file; /* PEM; all required */
	void *user;				    /* ws_user() */
	/* A handshake fails, or the peer refuses our certificate later (TLS 1.3): a sentence about it, and where
	 * the peer is ("" = not known any more).  The connection's end is told apart from it.  May be NULL. */
	void (*trouble)(void *user, const char *address, const char *why);
	struct metrics *metrics;    /* gets lib/control/ws_expiry.h's; may be NULL */
	const char *metrics_prefix; /* such as "rubato_agent" */
};

/* The pings of both sides. */
extern const lws_retry_bo_t ws_liveness;

/* -EINVAL with a sentence: a file is missing, or is not what it should be. */
must_check int ws_new(struct uv_loop_s *loop, const struct ws_options *options, struct ws **ret_ws,
		      struct err *err);
/* From a callback: whose connection it is.  NULL when `wsi` is, and while ws_new() fails. */
void *ws_user(struct lws *wsi);
struct lws_context *ws_context(const struct ws *ws);
struct lws_vhost *ws_vhost(const struct ws *ws);

/* To be called after a timeout was set, or a connection begun, from elsewhere than a callback of libwebsockets:
 * on a loop that is not its own it looks at its timers only when something else wakes it. */
void ws_wake(const struct ws *ws);
/* Close the connection at the loop's next turn, without a word; its callbacks come. */
void ws_kill(const struct ws *ws, struct lws *wsi);

/* Close every connection at once (callbacks come) and take everything off the loop; `done` is called
 * when it is off, then ws_free() may be. */
void ws_close(struct ws *ws, void (*done)(void *ctx), void *ctx);
void ws_free(struct ws *ws);

/* Read the certificate files again if they changed; for connections to come.  Cheap: call it before each
 * connect or accept.  (It is called by itself twice a minute, too.) */
void ws_reload(struct ws *ws);

/* To be called first by the callback of `protocols`; true: `*ret` is to be returned. */
bool ws_tls_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, size_t len,
		  int *ret);

#endif
