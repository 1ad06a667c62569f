/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/control/ws.h"

#include <errno.h>
#include <malloc.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <uv.h>

#include "lib/control/tls_trouble.h"
#include "lib/control/ws_expiry.h"
#include "lib/control/ws_linger.h"
#include "lib/control/ws_tls.h"
#include "lib/log.h"
#include "lib/loop.h"

/* libwebsockets closes its handles over a few turns of a loop that is not its own and does not say
 * when it is done: so we look. */
#define SETTLE_MS 10
#define SETTLE_LOOKS 500
#define FILES_MS 30000 /* how often the certificate files are looked at, whoever comes or not */
#define HANDSHAKE_SECONDS 5
#define HEADER_BYTES                                                                               \
	((unsigned)WS_TOKEN_BYTES + 4096) /* a bearer token, and the rest of an upgrade */
#define WS_ADDRESS_BYTES 64

struct ws {
	struct lws_context *context;
	struct lws_vhost *vhost;
	/* libwebsockets' own client context would leak, and it makes one for servers too. */
	SSL_CTX *client_ctx;
	SSL_CTX *server_ctx; /* its own */
	bool is_server;
	char *cert_file, *key_file, *ca_file;
	void *user;
	void (*trouble)(void *user, const char *address, const char *why);
	struct ws_linger linger;
	struct ws_tls_stamp stamp;
	struct ws_expiry expiry;
	uv_timer_t timer; /* looks at the files, and while it closes at its handles */
	unsigned looks, own_handles;
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

static struct ws_tls_files files_of(const struct ws *ws)
{
	return (struct ws_tls_files){ ws->cert_file, ws->key_file, ws->ca_file };
}

static SSL_CTX *ctx_of(const struct ws *ws)
{
	return ws->is_server ? ws->server_ctx : ws->client_ctx;
}

/* --- what goes wrong with TLS --- */

static void address_of(const SSL *ssl, char room[WS_ADDRESS_BYTES])
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	room[0] = '\0';
	if (getpeername(SSL_get_fd(ssl), (struct sockaddr *)&at, &len) == 0 &&
	    getnameinfo((struct sockaddr *)&at, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(room, WS_ADDRESS_BYTES, "%.50s port %.5s", host, port);
}

static const char *peer_of(const struct ws *ws)
{
	return ws->is_server ? "the agent" : "the controller";
}

static void tell(const struct ws *ws, const SSL *ssl, const struct err *why)
{
	char address[WS_ADDRESS_BYTES];

	address_of(ssl, address);
	if (ws->user && ws->trouble)
		ws->trouble(ws->user, address, why->text);
}

static void on_tls_info(const SSL *ssl, int where, int ret)
{
	struct ws *ws = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct err why = ERR_INIT;

	if (where & SSL_CB_WRITE && SSL_is_init_finished(ssl))
		return; /* a connection that breaks later ends so, too */
	if ((where & SSL_CB_ALERT) && (where & SSL_CB_WRITE) && ret >> 8 == SSL3_AL_FATAL)
		ws_linger_add(&ws->linger, SSL_get_fd(ssl), now_boot_ns());
	if (tls_trouble_of_alert(where, ret, peer_of(ws), ws->cert_file, &why))
		tell(ws, ssl, &why);
}

static void watch(struct ws *ws, SSL_CTX *ctx)
{
	SSL_CTX_set_app_data(ctx, ws);
	SSL_CTX_set_info_callback(ctx, on_tls_info);
}

static void on_verified(const struct ws *ws, X509_STORE_CTX *chain)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct err why = ERR_INIT;

	tls_trouble_of_chain(chain, peer_of(ws),
			     X509_VERIFY_PARAM_get0_host(SSL_get0_param(ssl), 0), ws->ca_file,
			     &why);
	tell(ws, ssl, &why);
}

bool ws_tls_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, size_t len,
		  int *ret)
{
	struct lws_context *context = wsi ? lws_get_context(wsi) : NULL;
	struct ws *ws = context ? lws_context_user(context) : NULL;

	*ret = 0;
	if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS && ws) {
		ws->server_ctx = user;
		watch(ws, user);
		return true;
	}
	if (reason != LWS_CALLBACK_OPENSSL_PERFORM_CLIENT_CERT_VERIFICATION &&
	    reason != LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION)
		return false;
	if (!len && ws)
		on_verified(ws, user);
	*ret = len ? 0 : 1; /* `len` is OpenSSL's verdict; 0 would overrule it */
	return true;
}

/* --- life --- */

/* Nobody will accept it: better said here than only by those who refuse it. */
static void look_at_own(const struct ws *ws)
{
	struct err why = ERR_INIT;

	if (tls_trouble_of_file(ws->cert_file, time(NULL), &why))
		log_warn("nobody will accept our certificate", LOG_ERR(&why));
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

/* Rotation is seen, and an end told, also of a connection that stands for months. */
static void on_files_due(uv_timer_t *timer)
{
	ws_reload(timer->data);
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
	const struct ws_tls_files files = { options->cert_file, options->key_file,
					    options->ca_file };
	struct ws *ws;
	int r = ws_tls_check_files(&files, err);

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
	ws->trouble = options->trouble;
	watch(ws, ws->client_ctx);
	look_at_own(ws);
	ws_expiry_init(&ws->expiry, options->metrics, options->metrics_prefix);
	ws_expiry_set(&ws->expiry, ctx_of(ws));
	uv_timer_start(&ws->timer, on_files_due, FILES_MS, FILES_MS);
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

static void count_own(uv_handle_t *handle, void *ctx)
{
	struct ws *ws = ctx;
	uintptr_t at = (uintptr_t)handle, begin = (uintptr_t)ws->context;

	if (at < begin || at >= begin + malloc_usable_size(ws->context))
		return;
	ws->own_handles++;
	if (ws->looks >= SETTLE_LOOKS)
		uv_unref(handle);
}

/* Its own handles lie in the context: freeing that before they are off the loop would be the end of the loop. */
static void on_settled(uv_timer_t *timer)
{
	struct ws *ws = timer->data;

	ws->own_handles = 0;
	uv_walk(ws->loops[0], count_own, ws);
	if (ws->own_handles && ws->looks++ < SETTLE_LOOKS) {
		uv_timer_start(timer, on_settled, SETTLE_MS, 0);
		return;
	}
	if (ws->own_handles) /* lost, but harmless */
		log_warn("libwebsockets does not close its handles");
	else
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
	ws_linger_end(&ws->linger, INT64_MAX);
	SSL_CTX_free(ws->client_ctx);
	free(ws->cert_file);
	free(ws->key_file);
	free(ws->ca_file);
	free(ws);
}

void ws_reload(struct ws *ws)
{
	const struct ws_tls_files files = files_of(ws);
	SSL_CTX *ctx = ctx_of(ws);
	struct err err = ERR_INIT;
	int r;

	ws_linger_end(&ws->linger, now_boot_ns());
	r = ctx ? ws_tls_reload(ctx, &files, &ws->stamp, &err) : 0;

	if (r > 0) {
		log_info("certificates read again", LOG_STR("cert", ws->cert_file));
		look_at_own(ws);
		ws_expiry_set(&ws->expiry, ctx);
	}
	if (r < 0)
		log_warn("new certificates are not usable, keeping the old ones", LOG_ERR(&err));
}
