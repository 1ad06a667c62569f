/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/hub/hub_priv.h"

#include <string.h>

#include "lib/control/ws_peer.h"
#include "lib/log.h"
#include "lib/loop.h"

#define EXPIRY_JITTER_MS 10000 /* pods of one rollout have tokens of one age */
#define TIMER_MAX_NS (3600 * NSEC_PER_SEC)
#define TOO_LONG "too_long"

/* It is the owner's from authenticate() to hub_auth_done(), so it outlives what it points to. */
struct hub_auth {
	struct hub_conn *conn; /* NULL = gone, or refused meanwhile */
	char cert_name[LIMIT_NAME_BYTES + 1];
};

static void set_deadline(struct hub_conn *conn, int64_t deadline_ns)
{
	int64_t wait_ns = MIN(MAX(deadline_ns - now_boot_ns(), NSEC_PER_MSEC), TIMER_MAX_NS);

	conn->deadline_ns = deadline_ns;
	lws_set_timer_usecs(conn->wsi,
			    deadline_ns == INT64_MAX ? LWS_SET_TIMER_USEC_CANCEL : wait_ns / 1000);
	ws_wake(conn->hub->ws);
}

/* Take the node; whoever had it must go. */
static void join(struct hub_conn *conn, const char *node, const char *pod_uid)
{
	struct hub_peer *peer = hub_peer_get(conn->hub, node);

	if (peer->conn) {
		log_info("a newer connection takes the node", LOG_STR("node", node),
			 LOG_STR("pod_uid", pod_uid), LOG_STR("old_pod_uid", peer->conn->pod_uid));
		hub_conn_close(peer->conn, HUB_CLOSE_SUPERSEDED, "the node has a newer connection");
	}
	conn->peer = peer;
	peer->conn = conn;
	snprintf(conn->pod_uid, sizeof(conn->pod_uid), "%s", pod_uid);
	hub_fsm_connect(&peer->fsm, now_boot_ns());
	hub_peer_settle(peer);
}

static void turn_away(struct hub_conn *conn, const char *cert_name, const char *reason,
		      const char *why)
{
	metrics_count(conn->hub->metrics, "rubato_controller_auth_refused_total",
		      "Agents that were refused because of their token or certificate, by reason.",
		      "reason", reason);
	log_warn("an agent is refused", LOG_STR("reason", reason), LOG_STR("why", why),
		 LOG_STR("certificate", cert_name));
	hub_conn_close(conn, HUB_CLOSE_UNAUTHENTICATED, why);
}

static int join_by_certificate(struct hub_conn *conn)
{
	const struct hub *hub = conn->hub;
	char name[LIMIT_NAME_BYTES + 1];
	struct err err = ERR_INIT;

	if (ws_peer_name(conn->wsi, name, sizeof(name), &err) < 0) {
		turn_away(conn, "", "certificate", err.text);
		return 0;
	}
	if (hub->is_node && !hub->is_node(hub->auth_ctx, name)) {
		err_set(&err, 0,
			"no Node bears the name in the agent's certificate, \"%s\": make one, or "
			"sign "
			"a certificate with the name of its node",
			name);
		turn_away(conn, name, "node_unknown", err.text);
		return 0;
	}
	join(conn, name, "");
	return 0;
}

/* The bearer token of the upgrade; the caller's to free().  NULL = too long. */
static char *read_token(struct lws *wsi)
{
	int len = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
	static const char scheme[] = "Bearer ";
	cleanup(freep) char *header = xcalloc(1, (size_t)MAX(len, 0) + 1);

	if (len <= 0)
		return xstrdup("");
	if (len > (int)(WS_TOKEN_BYTES + sizeof(scheme) - 1))
		return NULL;
	if (lws_hdr_copy(wsi, header, len + 1, WSI_TOKEN_HTTP_AUTHORIZATION) < 0 ||
	    strncasecmp(header, scheme, sizeof(scheme) - 1) != 0)
		return xstrdup("");
	return xstrdup(header + sizeof(scheme) - 1);
}

static void begin_review(struct hub_conn *conn, const char *token)
{
	struct hub *hub = conn->hub;
	struct hub_auth *auth = xcalloc(1, sizeof(*auth));
	struct err err = ERR_INIT;

	/* The certificate only lets an agent in here; it may be one for the whole fleet. */
	if (ws_peer_name(conn->wsi, auth->cert_name, sizeof(auth->cert_name), &err) < 0)
		auth->cert_name[0] = '\0';
	auth->conn = conn;
	conn->auth = auth;
	hub->auth_nr++;
	hub_gate_look(hub);
	set_deadline(conn, now_boot_ns() + HUB_AUTH_MS * NSEC_PER_MSEC);
	hub->authenticate(hub->auth_ctx, token, auth->cert_name, auth);
}

int hub_auth_begin(struct hub_conn *conn)
{
	char *token;

	if (!conn->hub->authenticate)
		return join_by_certificate(conn);
	token = read_token(conn->wsi);
	if (!token) {
		turn_away(conn, "", TOO_LONG, "the token is longer than 16 KiB");
		return 0;
	}
	begin_review(conn, token);
	explicit_bzero(token, strlen(token));
	free(token);
	return 0;
}

void hub_auth_forget(struct hub_conn *conn)
{
	struct hub_auth *auth = TAKE_PTR(conn->auth);

	if (!auth)
		return;
	auth->conn = NULL;
	conn->rx_whole = false;
	conn->hub->auth_nr--;
	hub_gate_look(conn->hub);
}

void hub_auth_timer(struct hub_conn *conn)
{
	if (conn->bye.code || conn->deadline_ns == INT64_MAX)
		return;
	if (now_boot_ns() < conn->deadline_ns) {
		set_deadline(conn, conn->deadline_ns);
	} else if (conn->auth) {
		turn_away(conn, conn->auth->cert_name, "timeout",
			  "the token was not reviewed in time");
	} else {
		struct hub_peer *peer = conn->peer;

		hub_conn_close(conn, HUB_CLOSE_UNAUTHENTICATED, "token expired");
		if (peer)
			hub_peer_settle(peer);
	}
}

static int64_t with_jitter(int64_t expires_ns)
{
	if (expires_ns == INT64_MAX)
		return INT64_MAX;
	return expires_ns + (int64_t)(random_u64() % EXPIRY_JITTER_MS) * NSEC_PER_MSEC;
}

static void admit(struct hub_conn *conn, const struct hub_identity *identity)
{
	bool has_message = conn->rx_whole;

	hub_auth_forget(conn);
	set_deadline(conn, with_jitter(identity->expires_ns));
	join(conn, identity->node, identity->pod_uid ? identity->pod_uid : "");
	if (has_message && conn->peer)
		hub_conn_message(conn);
}

void hub_auth_done(struct hub_auth *auth, const struct hub_identity *identity)
{
	struct hub_conn *conn = auth->conn;

	if (conn && conn->hub->closing)
		hub_conn_close(conn, HUB_CLOSE_DRAIN, "the controller goes down");
	else if (conn && identity->node)
		admit(conn, identity);
	else if (conn)
		turn_away(conn, auth->cert_name, identity->reason, identity->why);
	free(auth);
}

bool hub_auth_wanted(const struct hub_auth *auth)
{
	return auth->conn != NULL;
}
