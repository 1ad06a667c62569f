/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/control/ws.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "lib/control/ws_tls.h"
#include "lib/log.h"

/* libwebsockets closes its handles over a few turns of a loop that is not its own and does not say
 * when it is done; this many milliseconds are ample. */
#define SETTLE_MS 50
#define HANDSHAKE_SECONDS 5
#define HEADER_BYTES                                                                               \
	((unsigned)WS_TOKEN_BYTES + 4096)	 /* a bearer token, and the rest of an upgrade */
#define WRITE_CLOSE ((enum lws_write_protocol)4) /* the gap that lws-write.h leaves for it */
#define BYE_SECONDS 1				 /* for the peer to close too */

struct ws {
	struct lws_context *context;
	struct lws_vhost *vhost;
	/* libwebsockets' own client context would leak, and it makes one for servers too. */
	SSL_CTX *client_ctx;
	SSL_CTX *server_ctx; /* its own; known from the first connection on */
	bool is_server;
	char *cert_file, *key_file, *ca_file;
	void *user;
	struct ws_tls_stamp stamp;
	uv_timer_t timer;
	void *loops[1]; /* libwebsockets keeps the array */
	void (*done)(void *ctx);
	void *ctx;
};

const lws_retry_bo_t ws_liveness = {
	.secs_since_valid_ping = WS_PING_SECONDS,
	.secs_since_valid_hangup = WS_HANGUP_SECONDS,
};

static void emit(int level, const char *line)
{
	char text[512];

	/* What goes wrong with one peer is told by our own lines; these are for a closer look. */
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
	log_debug("libwebsockets", LOG_INT("lws_level", level), LOG_STR("line", text));
}

static void limit_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= WS_FILES_MAX)
		return;
	limit.rlim_cur = WS_FILES_MAX;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("cannot lower the limit of open files", LOG_INT("errno", errno));
}

static int check_files(const struct ws_options *options, struct err *err)
{
	const char *const file[] = { options->cert_file, options->key_file, options->ca_file };
	static const char *const what[] = { "certificate", "key", "CA" };

	for (size_t i = 0; i < ARRAY_SIZE(file); i++) {
		if (!file[i])
			return err_set(err, -EINVAL, "TLS: no %s file is given", what[i]);
		/* Opened, not access(2)ed: that one forgets our capabilities. */
		int fd = open(file[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);

		if (fd < 0)
			return err_set(err, -EINVAL, "TLS: %s file %s: %s", what[i], file[i],
				       strerror(errno));
		close(fd);
	}
	return 0;
}

static struct ws_tls_files files_of(const struct ws *ws)
{
	return (struct ws_tls_files){ ws->cert_file, ws->key_file, ws->ca_file };
}

/* Before there is a libwebsockets context: one that is given up half made takes its time to go, and says
 * less of what is wrong. */
static int load_files(struct ws *ws, struct err *err)
{
	const struct ws_tls_files files = files_of(ws);

	ws_tls_stamp(&files, &ws->stamp);
	return ws_tls_client_new(&files, &ws->client_ctx, err);
}

static int make_vhost(struct ws *ws, const struct ws_options *options, struct err *err)
{
	const long old_tls = SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1;
	struct lws_context_creation_info info = {
		.protocols = options->protocols,
		.alpn = "http/1.1",
		/* Whom the system trusts is not whom we trust. */
		.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
			   LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
		.retry_and_idle_policy = &ws_liveness,
		.timeout_secs = HANDSHAKE_SECONDS,
		.user = ws,
		.provided_client_ssl_ctx = ws->client_ctx,
	};

	if (options->is_server) {
		info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
		info.options |= LWS_SERVER_OPTION_REQUIRE_VALID_OPENSSL_CLIENT_CERT;
		info.ssl_cert_filepath = options->cert_file;
		info.ssl_private_key_filepath = options->key_file;
		info.ssl_ca_filepath = options->ca_file;
		info.ssl_options_set = old_tls;
	} else {
		info.port = CONTEXT_PORT_NO_LISTEN;
	}
	ws->vhost = lws_create_vhost(ws->context, &info);
	if (!ws->vhost)
		return err_set(err, -EINVAL, "TLS: %s, %s and %s do not make a TLS context",
			       options->cert_file, options->key_file, options->ca_file);
	return 0;
}

int ws_new(uv_loop_t *loop, const struct ws_options *options, struct ws **ret_ws, struct err *err)
{
	struct lws_context_creation_info info = {
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
		.gid = -1,
		.uid = -1,
		.max_http_header_data2 = HEADER_BYTES, /* taken while an upgrade is read, only */
		.pt_serv_buf_size = HEADER_BYTES,      /* where a client's upgrade is written */
		.timeout_secs = HANDSHAKE_SECONDS,
	};
	struct ws *ws;
	int r = check_files(options, err);

	if (r < 0)
		return r;
	ws = xcalloc(1, sizeof(*ws));
	ws->cert_file = xstrdup(options->cert_file);
	ws->key_file = xstrdup(options->key_file);
	ws->ca_file = xstrdup(options->ca_file);
	ws->is_server = options->is_server;
	r = load_files(ws, err);
	if (r < 0) {
		ws_free(ws);
		return r;
	}
	limit_files();
	lws_set_log_level(LLL_ERR | LLL_WARN | LLL_NOTICE, emit);
	ws->loops[0] = loop;
	info.foreign_loops = ws->loops;
	info.user = ws;
	ws->context = lws_create_context(&info);
	if (!ws->context) {
		ws_free(ws);
		return err_set(
			err, -EINVAL,
			"libwebsockets does not start (is libwebsockets-evlib-uv installed?)");
	}
	r = make_vhost(ws, options, err);
	uv_timer_init(loop, &ws->timer);
	ws->timer.data = ws;
	if (r < 0) {
		ws_close(ws, NULL, NULL);
		return r;
	}
	ws->user = options->user;
	*ret_ws = ws;
	return 0;
}

void *ws_user(struct lws *wsi)
{
	struct lws_context *context = wsi ? lws_get_context(wsi) : NULL;
	struct ws *ws = context ? lws_context_user(context) : NULL;

	return ws ? ws->user : NULL;
}

struct lws_context *ws_context(const struct ws *ws)
{
	return ws->context;
}

struct lws_vhost *ws_vhost(const struct ws *ws)
{
	return ws->vhost;
}

void ws_wake(const struct ws *ws)
{
	lws_cancel_service(ws->context);
}

void ws_kill(const struct ws *ws, struct lws *wsi)
{
	(void)ws;
	lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct ws *ws = handle->data;

	if (ws->done)
		ws->done(ws->ctx);
	else
		ws_free(ws); /* it was never anybody's */
}

static void on_settled(uv_timer_t *timer)
{
	struct ws *ws = timer->data;

	lws_context_destroy(ws->context);
	ws->context = NULL;
	uv_close((uv_handle_t *)timer, on_timer_closed);
}

void ws_close(struct ws *ws, void (*done)(void *ctx), void *ctx)
{
	ws->done = done;
	ws->ctx = ctx;
	lws_context_destroy(ws->context);
	uv_timer_start(&ws->timer, on_settled, SETTLE_MS, 0);
}

void ws_free(struct ws *ws)
{
	if (!ws)
		return;
	SSL_CTX_free(ws->client_ctx);
	free(ws->cert_file);
	free(ws->key_file);
	free(ws->ca_file);
	free(ws);
}

void ws_reload(struct ws *ws)
{
	const struct ws_tls_files files = files_of(ws);
	SSL_CTX *ctx = ws->is_server ? ws->server_ctx : ws->client_ctx;
	struct err err = ERR_INIT;
	int r = ctx ? ws_tls_reload(ctx, &files, &ws->stamp, &err) : 0;

	if (r > 0)
		log_info("certificates read again", LOG_STR("cert", ws->cert_file));
	if (r < 0)
		log_warn("new certificates are not usable, keeping the old ones", LOG_ERR(&err));
}

void ws_note_server(struct ws *ws, struct lws *wsi)
{
	SSL *ssl = lws_get_ssl(wsi);

	if (ssl)
		ws->server_ctx = SSL_get_SSL_CTX(ssl);
}

void ws_say_bye(struct lws *wsi, int code, const char *why)
{
	uint8_t frame[LWS_PRE + 2 + WS_WHY_BYTES];
	size_t len = strnlen(why, WS_WHY_BYTES - 1);

	frame[LWS_PRE] = (uint8_t)(code >> 8);
	frame[LWS_PRE + 1] = (uint8_t)code;
	memcpy(frame + LWS_PRE + 2, why, len);
	if (lws_write(wsi, frame + LWS_PRE, 2 + len, WRITE_CLOSE) < 0)
		lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_ACK, LWS_TO_KILL_ASYNC);
	else
		lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_ACK, BYE_SECONDS);
}

/* The certificate's own bytes may hold a NUL; a name that does is none. */
static bool copy_name(const ASN1_STRING *string, char *room, size_t size)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *text = (const char *)ASN1_STRING_get0_data(string);
	size_t len = (size_t)ASN1_STRING_length(string);

	if (len == 0 || len >= size || memchr(text, 0, len))
		return false;
	memcpy(room, text, len);
	room[len] = '\0';
	return strspn(room, allowed) == len;
}

static const ASN1_STRING *common_name(const X509 *cert)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	return i < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));
}

static bool first_dns_name(const X509 *cert, char *room, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			found = copy_name(name->d.dNSName, room, size);
	}
	GENERAL_NAMES_free(names);
	return found;
}

int ws_peer_name(struct lws *wsi, char *ret_name, size_t size, struct err *err)
{
	SSL *ssl = lws_get_ssl(wsi);
	X509 *cert = ssl ? SSL_get1_peer_certificate(ssl) : NULL;
	const ASN1_STRING *cn = cert ? common_name(cert) : NULL;
	bool found =
		cert && (cn ? copy_name(cn, ret_name, size) : first_dns_name(cert, ret_name, size));

	X509_free(cert);
	if (!found)
		return err_set(err, -EPROTO, "the certificate names no node");
	return 0;
}
