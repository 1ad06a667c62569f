/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/hub/hub_priv.h"

#include <errno.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/log.h"
#include "lib/loop.h"

#define CLOSE_SECONDS 2 /* for a peer that does not read our farewell */
#define STALE_WARN_NS (60 * NSEC_PER_SEC)

/* libwebsockets' memory per connection. */
struct slot {
	struct hub_conn *conn;
};

void hub_conn_close(struct hub_conn *conn, int code, const char *why)
{
	if (!ws_bye_begin(&conn->bye, code, why))
		return;
	hub_auth_forget(conn);
	if (conn->peer) {
		hub_fsm_gone(&conn->peer->fsm);
		conn->peer->conn = NULL;
		conn->peer = NULL;
	}
	metrics_count(conn->hub->metrics, "rubato_controller_agent_closes_total",
		      "Connections of agents that the controller closed, by close code.", "code",
		      (char[12]){ (char)('0' + code / 1000), (char)('0' + code / 100 % 10),
				  (char)('0' + code / 10 % 10), (char)('0' + code % 10) });
	lws_callback_on_writable(conn->wsi);
	lws_set_timeout(conn->wsi, PENDING_TIMEOUT_CLOSE_SEND, CLOSE_SECONDS);
	ws_wake(conn->hub->ws);
}

/* The peer speaks nonsense: say what, then close. */
static void refuse(struct hub_conn *conn, int code, const struct err *err)
{
	struct hub_peer *peer = conn->peer;

	log_warn("an agent broke the protocol", LOG_STR("node", peer ? peer->name : ""),
		 LOG_ERR(err));
	conn->tell_why = code == HUB_CLOSE_PROTOCOL;
	hub_conn_close(conn, code, err->text);
	if (peer)
		hub_peer_settle(peer);
}

/* --- out --- */

static int send_message(struct hub_conn *conn, const struct opamp_to_agent *msg, const char *type)
{
	size_t len;
	cleanup(freep) uint8_t *bytes = opamp_to_agent_pack(msg, LWS_PRE, &len);

	metric_add(conn->hub->bytes_out, (double)len);
	metrics_count(conn->hub->metrics, "rubato_controller_messages_sent_total",
		      "Messages to agents, by type.", "type", type);
	return lws_write(conn->wsi, bytes + LWS_PRE, len, LWS_WRITE_BINARY) < 0 ? -1 : 0;
}

static void put_custom(struct opamp_to_agent *msg, const char *type, char *body)
{
	snprintf(msg->custom.type, sizeof(msg->custom.type), "%s", type);
	msg->custom.body = body;
	msg->custom.body_len = strlen(body);
}

static void put_session(const struct hub_conn *conn, struct opamp_to_agent *msg)
{
	const struct hub *hub = conn->hub;
	struct control_session session = { .epoch = hub->epoch, .ttl_ms = hub->ttl_ms };
	size_t spread_ms = hub->conn_nr * 1000 / 400; /* R20: what our handshakes can bear */

	session.spread_ms = (uint32_t)MIN(MAX(spread_ms, 1000U), 30000U);
	snprintf(session.node, sizeof(session.node), "%s", conn->peer->name);
	msg->capabilities = OPAMP_SERVER_ACCEPTS_STATUS | OPAMP_SERVER_OFFERS_CONFIG;
	msg->knows_us = true;
	if (conn->knows_us)
		put_custom(msg, CONTROL_SESSION, control_session_pack(&session));
}

static char *pack_delta(const struct hub_peer *peer, const struct control_head *head)
{
	cleanup(plan_release) struct plan have, wanted;

	plan_unpack(peer->have->pack, &have);
	plan_unpack(peer->wanted->pack, &wanted);
	return control_delta_pack(head, &have, &wanted, peer->sent_ns, peer->hub->ttl_ms);
}

static char *pack_plan(const struct hub_peer *peer, const struct control_head *head)
{
	cleanup(plan_release) struct plan wanted;

	plan_unpack(peer->wanted->pack, &wanted);
	return control_plan_pack(head, &wanted, peer->sent_ns, peer->hub->ttl_ms);
}

static char *pack_ttl(const struct hub_peer *peer, int64_t now_ns)
{
	cleanup(plan_release) struct plan boosts;

	plan_unpack_boosts(peer->wanted->pack, &boosts);
	return control_ttl_pack(&peer->hub->epoch, &boosts, now_ns, peer->hub->ttl_ms);
}

/* The wanted plan, as a delta if one was asked for and is small. */
static const char *put_plan(struct hub_peer *peer, bool as_delta, struct opamp_to_agent *msg)
{
	const struct hub *hub = peer->hub;
	struct control_head head = { .epoch = hub->epoch, .gen = peer->fsm.gen };
	char *body;

	peer->sent_ns = now_boot_ns();
	hub_plan_unref(peer->flight);
	peer->flight = hub_plan_ref(peer->wanted);
	memcpy(head.hash, peer->wanted->hash, sizeof(head.hash));
	if (as_delta) {
		memcpy(head.base, peer->have->hash, sizeof(head.base));
		body = pack_delta(peer, &head);
		if (strlen(body) <= (size_t)LIMIT_DELTA_BYTES) {
			put_custom(msg, CONTROL_DELTA, body);
			return CONTROL_DELTA;
		}
		free(body);
		head.base[0] = '\0';
		peer->fsm.inflight_delta = false;
	}
	msg->plan = pack_plan(peer, &head);
	msg->plan_len = strlen(msg->plan);
	memcpy(msg->hash, head.hash, sizeof(msg->hash));
	return "plan";
}

static int write_next(struct hub_conn *conn)
{
	struct hub_peer *peer = conn->peer;
	int64_t now_ns = now_boot_ns();
	bool has_base =
		conn->knows_us && peer->have && strcmp(peer->have->hash, peer->fsm.have) == 0;
	enum hub_send send = hub_fsm_take(&peer->fsm, has_base, now_ns);
	struct opamp_to_agent msg = { 0 };
	const char *type = "reply";
	int r;

	if (send == HUB_SEND_NOTHING)
		return 0;
	memcpy(msg.uid, conn->uid, sizeof(msg.uid));
	if (send == HUB_SEND_ASK) {
		type = "ask";
		msg.flags = OPAMP_SERVER_REPORT_FULL_STATE;
		msg.capabilities = OPAMP_SERVER_ACCEPTS_STATUS | OPAMP_SERVER_OFFERS_CONFIG;
	} else if (send == HUB_SEND_SESSION) {
		type = CONTROL_SESSION;
		put_session(conn, &msg);
	} else if (send == HUB_SEND_FULL || send == HUB_SEND_DELTA) {
		type = put_plan(peer, send == HUB_SEND_DELTA, &msg);
		/* One that has the plan already has nothing new to say, and says nothing unless asked. */
		if (!conn->knows_us && peer->fsm.resent)
			msg.flags = OPAMP_SERVER_REPORT_FULL_STATE;
	} else if (send == HUB_SEND_TTL && conn->knows_us) {
		type = CONTROL_TTL;
		put_custom(&msg, CONTROL_TTL, pack_ttl(peer, now_ns));
	}
	r = send_message(conn, &msg, type);
	opamp_to_agent_release(&msg);
	hub_peer_settle(peer);
	return r;
}

static int on_writable(struct hub_conn *conn)
{
	if (conn->tell_why) {
		struct opamp_to_agent msg = { 0 };

		conn->tell_why = false;
		memcpy(msg.uid, conn->uid, sizeof(msg.uid));
		snprintf(msg.error, sizeof(msg.error), "%s", conn->bye.why);
		lws_callback_on_writable(conn->wsi);
		return send_message(conn, &msg, "error");
	}
	if (!conn->bye.code)
		return conn->peer ? write_next(conn) : 0;
	ws_bye_say(&conn->bye, conn->wsi);
	return 0;
}

/* --- in --- */

void hub_conn_message(struct hub_conn *conn)
{
	struct opamp_from_agent msg;
	struct err err = ERR_INIT;
	struct hub_peer *peer = conn->peer;
	int r = opamp_from_agent_unpack(conn->rx.bytes, conn->rx.len, &msg, &err);

	metric_add(conn->hub->bytes_in, (double)conn->rx.len);
	metrics_count(conn->hub->metrics, "rubato_controller_messages_received_total",
		      "Messages from agents, by type.", "type",
		      r < 0		   ? "garbage"
		      : msg.custom.type[0] ? CONTROL_APPLIED
		      : msg.has_status	   ? "status"
					   : "other");
	if (r == 0) {
		r = hub_conn_status(conn, &msg, &err);
		opamp_from_agent_release(&msg);
	}
	ws_message_clear(&conn->rx);
	if (r < 0)
		refuse(conn, HUB_CLOSE_PROTOCOL, &err);
	else
		hub_peer_settle(peer);
}

/* Someone of whom only the certificate is known yet gets less. */
static size_t rx_limit(const struct hub_conn *conn)
{
	return conn->auth ? LIMIT_CONTROL_RX_PENDING : LIMIT_CONTROL_RX_CONTROLLER;
}

static int on_receive(struct hub_conn *conn, const void *bytes, size_t len)
{
	struct err err = ERR_INIT;
	enum ws_piece piece;

	if (!conn->peer && !conn->auth)
		return 0;
	if (conn->rx_whole) {
		err_set(&err, -EPROTO, "a second message before the answer to the first");
		refuse(conn, HUB_CLOSE_PROTOCOL, &err);
		return 0;
	}
	piece = ws_message_add(&conn->rx, conn->wsi, bytes, len, rx_limit(conn), &err);
	if (piece == WS_PIECE_WHOLE && conn->auth)
		conn->rx_whole = true;
	else if (piece == WS_PIECE_WHOLE)
		hub_conn_message(conn);
	else if (piece != WS_PIECE_MORE)
		refuse(conn, (int)piece, &err);
	return 0;
}

/* --- coming and going --- */

/* Only a WebSocket upgrade of our path; above all no HTTP/2, whose parser in this libwebsockets is old. */
static int check_upgrade(struct lws *wsi)
{
	char upgrade[16] = "", path[32] = "";

	if (lws_hdr_copy(wsi, upgrade, sizeof(upgrade), WSI_TOKEN_UPGRADE) < 0 ||
	    lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_GET_URI) < 0)
		return -1;
	return strcasecmp(upgrade, "websocket") == 0 && strcmp(path, OPAMP_PATH) == 0 ? 0 : -1;
}

static int on_established(struct hub *hub, struct lws *wsi, struct slot *slot)
{
	struct hub_conn *conn;

	hub_gate_passed(hub, wsi);
	if (hub->closing)
		return -1;
	conn = xcalloc(1, sizeof(*conn));
	*conn = (struct hub_conn){ .hub = hub, .wsi = wsi, .deadline_ns = INT64_MAX };
	if (hub_auth_begin(conn) < 0) {
		free(conn);
		return -1;
	}
	slot->conn = conn;
	hub->conn_nr++;
	return 0;
}

/* Of thousands that come back every few seconds one line is enough.  What they say is a claim: nothing but a line comes
 * of it. */
static void on_stale(struct hub *hub, const struct hub_conn *conn)
{
	int64_t now_ns = now_boot_ns();

	metric_add(hub->stale, 1);
	if (hub->stale_told_ns && now_ns - hub->stale_told_ns < STALE_WARN_NS)
		return;
	hub->stale_told_ns = now_ns;
	log_warn("agents hang up on us, they have obeyed a newer controller; if this is the right "
		 "one, its epoch was lost: see docs/troubleshooting.md, \"The agent does not "
		 "connect\"",
		 LOG_STR("node", conn->peer ? conn->peer->name : ""),
		 LOG_INT("epoch_t", hub->epoch.t), LOG_INT("epoch_n", hub->epoch.n));
}

/* `frame`: its code, and a reason. */
static void on_close_frame(struct hub *hub, const struct slot *slot, const uint8_t *frame,
			   size_t len)
{
	if (slot->conn && len >= 2 && (frame[0] << 8 | frame[1]) == HUB_CLOSE_STALE)
		on_stale(hub, slot->conn);
}

static void on_closed(struct hub *hub, struct slot *slot)
{
	struct hub_conn *conn = TAKE_PTR(slot->conn);
	struct hub_peer *peer = conn ? conn->peer : NULL;

	if (!conn)
		return;
	hub->conn_nr--;
	hub_auth_forget(conn);
	ws_message_clear(&conn->rx);
	free(conn);
	if (!peer)
		return;
	log_info("agent gone", LOG_STR("node", peer->name));
	peer->conn = NULL;
	hub_fsm_gone(&peer->fsm);
	hub_peer_settle(peer);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		    size_t len)
{
	struct hub *hub = ws_user(wsi);
	struct slot *slot = user;
	int r;

	if (ws_tls_event(wsi, reason, user, len, &r))
		return r;
	if (!hub)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
		return check_upgrade(wsi);
	case LWS_CALLBACK_HTTP:
		return -1; /* nothing to see here */
	case LWS_CALLBACK_ESTABLISHED:
		return on_established(hub, wsi, slot);
	case LWS_CALLBACK_RECEIVE:
		return slot->conn ? on_receive(slot->conn, in, len) : -1;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return slot->conn ? on_writable(slot->conn) : -1;
	case LWS_CALLBACK_TIMER:
		if (slot->conn)
			hub_auth_timer(slot->conn);
		return 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		on_close_frame(hub, slot, in, len);
		return 0;
	case LWS_CALLBACK_CLOSED:
		on_closed(hub, slot);
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		hub_gate_passed(hub, wsi);
		if (slot) /* whatever libwebsockets has not said by now */
			on_closed(hub, slot);
		return 0;
	default:
		return 0;
	}
}

const struct lws_protocols hub_protocols[] = {
	{
		.name = "opamp",
		.callback = on_event,
		.per_session_data_size = sizeof(struct slot),
		.rx_buffer_size = 4096,
	},
	{ .name = NULL },
};
