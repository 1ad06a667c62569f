/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/control_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/log.h"
#include "lib/loop.h"

#define AGENT_CAPABILITIES                                                                         \
	(OPAMP_AGENT_REPORTS_STATUS | OPAMP_AGENT_ACCEPTS_CONFIG | OPAMP_AGENT_REPORTS_CONFIG)

static void forget_connection(struct control_client *client)
{
	client->wsi = NULL;
	client->hello_due = client->answer_due = false;
	client->bye = (struct ws_bye){ 0 };
	control_token_forget(client);
	ws_message_clear(&client->rx);
}

static void on_lost(struct control_client *client, const char *why)
{
	bool refused = strstr(why, "refused") != NULL;
	bool was_in_session = client->in_session;

	forget_connection(client);
	client->in_session = false;
	metric_set(client->connected, 0);
	if (client->closing)
		return;
	client_fsm_lost(&client->fsm, refused, (uint32_t)random_u64(), now_boot_ns());
	log_warn("no controller", LOG_STR("why", why),
		 LOG_INT("retry_ms", (client->fsm.at - now_boot_ns()) / NSEC_PER_MSEC));
	control_arm(client);
	if (was_in_session && client->events.state)
		client->events.state(client->ctx, false, client->node, why);
}

void control_abandon(struct control_client *client, const char *why)
{
	struct lws *wsi = client->wsi;

	on_lost(client, why);
	if (wsi) /* its callbacks are ignored from now on */
		ws_kill(client->ws, wsi);
}

void control_want_write(struct control_client *client)
{
	if (client->wsi)
		lws_callback_on_writable(client->wsi);
}

void control_hang_up(struct control_client *client, int code, const char *why)
{
	if (!client->wsi || !ws_bye_begin(&client->bye, code, why))
		return;
	snprintf(client->lost_why, sizeof(client->lost_why), "we hung up (%d): %s", code, why);
	control_want_write(client);
}

void control_trouble(void *ctx, const char *address, const char *why)
{
	struct control_client *client = ctx;

	log_warn("TLS with the controller fails", LOG_STR("why", why), LOG_STR("address", address));
	if (!client->lost_why[0])
		snprintf(client->lost_why, sizeof(client->lost_why), "%s", why);
}

/* --- addresses --- */

static const char *server_name(const struct control_client *client)
{
	return client->options.server_name ? client->options.server_name : client->controller.host;
}

static bool is_address(const char *text)
{
	struct in6_addr room;

	return inet_pton(AF_INET, text, &room) == 1 || inet_pton(AF_INET6, text, &room) == 1;
}

static void dial(struct control_client *client)
{
	const char *address = client->address[random_u64() % client->address_nr];
	struct lws_client_connect_info info = {
		.context = ws_context(client->ws),
		.vhost = ws_vhost(client->ws),
		.address = address,
		.port = atoi(client->controller.port),
		.path = OPAMP_PATH,
		.host = server_name(client),
		.ssl_connection = LCCSCF_USE_SSL | LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
		.local_protocol_name = "opamp",
		.retry_and_idle_policy = &ws_liveness,
	};
	struct err err = ERR_INIT;
	struct lws *wsi;

	if (control_token_read(client, &err) < 0) {
		on_lost(client, err.text);
		return;
	}
	if (is_address(info.host)) /* OpenSSL's check of names does not know addresses: see below */
		info.ssl_connection |= LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
	client->lost_why[0] = '\0';
	info.pwsi = &client->wsi;
	wsi = lws_client_connect_via_info(&info);
	ws_wake(client->ws);
	if (wsi)
		return;
	client->wsi = NULL;
	if (client->fsm.phase == CLIENT_CONNECT) /* no callback has said so */
		on_lost(client, "cannot connect");
}

static void keep_addresses(struct control_client *client, const struct addrinfo *info)
{
	client->address_nr = 0;
	for (; info && client->address_nr < CONTROL_ADDRESSES; info = info->ai_next) {
		char *room = client->address[client->address_nr];
		bool is_v6 = info->ai_family == AF_INET6;
		const void *bits =
			is_v6 ? (void *)&((struct sockaddr_in6 *)info->ai_addr)->sin6_addr
			      : (void *)&((struct sockaddr_in *)info->ai_addr)->sin_addr;

		if (inet_ntop(info->ai_family, bits, room, INET6_ADDRSTRLEN))
			client->address_nr++;
	}
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *info)
{
	struct control_client *client = request->data;

	client->resolving = false;
	if (status == 0)
		keep_addresses(client, info);
	uv_freeaddrinfo(info);
	if (client->closing || client->fsm.phase != CLIENT_CONNECT)
		return;
	if (client->address_nr > 0) {
		dial(client);
		return;
	}
	snprintf(client->lost_why, sizeof(client->lost_why), "the name %.120s is not resolved: %s",
		 client->controller.host, status < 0 ? uv_strerror(status) : "it has no address");
	on_lost(client, client->lost_why);
}

void control_connect(struct control_client *client)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

	metric_add(client->attempts, 1);
	ws_reload(client->ws);
	if (client->resolving)
		return; /* of the attempt before; its answer serves */
	client->resolve.data = client;
	client->resolving =
		uv_getaddrinfo(client->loop, &client->resolve, on_resolved, client->controller.host,
			       client->controller.port, &hints) == 0;
	if (!client->resolving)
		on_lost(client, "the resolver does not start");
}

/* --- out --- */

static void put_hello(struct control_client *client, struct opamp_from_agent *msg,
		      struct control_applied *applied)
{
	control_answer_init(client, applied);
	applied->epoch = client->fsm.newest;
	memcpy(applied->hash, applied->have, sizeof(applied->hash));
	snprintf(msg->host, sizeof(msg->host), "%s", client->node);
	msg->knows_us = true;
}

static int send_applied(struct control_client *client, const struct control_applied *applied,
			struct opamp_from_agent *msg)
{
	size_t len;
	cleanup(freep) uint8_t *bytes = NULL;

	memcpy(msg->uid, client->uid, sizeof(msg->uid));
	msg->seq = ++client->seq;
	msg->capabilities = AGENT_CAPABILITIES;
	if (applied) {
		msg->has_status = applied->hash[0];
		msg->status = applied->result == CONTROL_FAILED ? OPAMP_FAILED : OPAMP_APPLIED;
		memcpy(msg->hash, applied->hash, sizeof(msg->hash));
		memcpy(msg->error, applied->error, sizeof(msg->error));
		snprintf(msg->custom.type, sizeof(msg->custom.type), CONTROL_APPLIED);
		msg->custom.body = control_applied_pack(applied);
		msg->custom.body_len = strlen(msg->custom.body);
	}
	bytes = opamp_from_agent_pack(msg, LWS_PRE, &len);
	opamp_from_agent_release(msg);
	metric_add(client->bytes_out, (double)len);
	return lws_write(client->wsi, bytes + LWS_PRE, len, LWS_WRITE_BINARY) < 0 ? -1 : 0;
}

/* One message per turn; ask for another turn while something is due. */
static int on_writable(struct control_client *client)
{
	struct opamp_from_agent msg = { 0 };
	struct control_applied applied;

	if (client->hello_due) {
		client->hello_due = false;
		put_hello(client, &msg, &applied);
		control_want_write(client);
		return send_applied(client, &applied, &msg);
	}
	if (client->answer_due) {
		client->answer_due = false;
		control_want_write(client);
		return send_applied(client, &client->answer, &msg);
	}
	if (client->leaving) {
		client->leaving = false;
		msg.leaving = true;
		control_want_write(client);
		return send_applied(client, NULL, &msg);
	}
	ws_bye_say(&client->bye, client->wsi);
	return 0;
}

/* --- in --- */

static int on_receive(struct control_client *client, const void *bytes, size_t len)
{
	struct err err = ERR_INIT;
	enum ws_piece piece;

	if (client->bye.code)
		return 0;
	piece = ws_message_add(&client->rx, client->wsi, bytes, len, (size_t)LIMIT_CONTROL_RX_AGENT,
			       &err);
	if (piece == WS_PIECE_WHOLE) {
		control_on_message(client);
		ws_message_clear(&client->rx);
	} else if (piece != WS_PIECE_MORE) {
		control_hang_up(client, (int)piece, err.text);
	}
	return 0;
}

static bool address_is_certified(struct control_client *client)
{
	SSL *ssl = lws_get_ssl(client->wsi);
	X509 *cert = ssl ? SSL_get1_peer_certificate(ssl) : NULL;
	bool good = cert && X509_check_ip_asc(cert, server_name(client), 0) == 1;

	X509_free(cert);
	return good;
}

/* TLS stands, and the peer is one of our CA's.  Whoever it is must not see the token before its name
 * was checked; OpenSSL has checked host names by now, addresses it has not. */
static int on_upgrade(struct control_client *client, struct lws *wsi, unsigned char **at,
		      size_t len)
{
	if (is_address(server_name(client)) && !address_is_certified(client)) {
		snprintf(client->lost_why, sizeof(client->lost_why),
			 "the certificate is not for %.80s", server_name(client));
		return -1;
	}
	return control_token_put(client, wsi, at, *at + len);
}

static int on_established(struct control_client *client)
{
	snprintf(client->lost_why, sizeof(client->lost_why), "the connection broke");
	client_fsm_connected(&client->fsm, now_boot_ns());
	control_arm(client);
	client->hello_due = true;
	control_want_write(client);
	return 0;
}

/* The peer's close code and reason, for people. */
static void on_peer_close(struct control_client *client, const uint8_t *in, size_t len)
{
	char why[64] = "";
	int code = len >= 2 ? in[0] << 8 | in[1] : 0;

	if (client->bye.said) /* it only answers ours */
		return;
	for (size_t i = 2; i < len && i - 2 < sizeof(why) - 1; i++)
		why[i - 2] = (char)(in[i] >= ' ' && in[i] < 0x7f ? in[i] : '?');
	snprintf(client->lost_why, sizeof(client->lost_why), "closed by the controller: %d %s",
		 code, why);
}

/* libwebsockets does not say why the socket is not connected; the socket does. */
static void on_not_connected(struct control_client *client, const char *said)
{
	int error = 0;
	socklen_t len = sizeof(error);
	const char *why = said ? said : "no reason is known";

	if (getsockopt(lws_get_socket_fd(client->wsi), SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
	    error)
		why = strerror(error);
	else if (strstr(why, "waiting SSL"))
		why = "the TLS handshake was not answered in time";
	if (!client->lost_why[0])
		snprintf(client->lost_why, sizeof(client->lost_why),
			 "cannot connect to %.120s port %s: %.80s", client->controller.host,
			 client->controller.port, why);
	on_lost(client, client->lost_why);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		    size_t len)
{
	struct control_client *client = ws_user(wsi);
	int r;

	if (ws_tls_event(wsi, reason, user, len, &r))
		return r;
	if (!client || wsi != client->wsi)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
		return on_upgrade(client, wsi, in, len);
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		return on_established(client);
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return on_receive(client, in, len);
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return on_writable(client);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		on_peer_close(client, in, len);
		return 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		on_not_connected(client, in);
		return 0;
	/* TLS stood and the upgrade did not come: libwebsockets calls that a closed HTTP connection.
	 * Whatever it forgets to say, WSI_DESTROY comes before the memory goes. */
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
	case LWS_CALLBACK_WSI_DESTROY:
		on_lost(client, client->lost_why[0] ? client->lost_why : "the connection broke");
		return 0;
	default:
		return 0;
	}
}

const struct lws_protocols control_protocols[] = {
	{ .name = "opamp", .callback = on_event, .rx_buffer_size = 16384 },
	{ .name = NULL },
};
