/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/call.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "lib/core/limits.h"
#include "lib/log.h"

#define UNARY_TIMEOUT_MS 30000L
#define CONNECT_TIMEOUT_MS 10000L
/* A peer that does not acknowledge anything any more is given up after 20 to 25 s: data by TCP_USER_TIMEOUT, and on an
 * idle connection keepalive, of which the kernel looks at the same limit whenever a probe is due. */
#define DEAD_AFTER_MS 20000
#define PROBE_IDLE_S 10L
#define PROBE_EACH_S 5L
#define RETRY_AFTER_MAX_S 600
#define WARNINGS_MAX 100

/* --- what comes --- */

static void keep_body(struct kube_call *call, const char *data, size_t len)
{
	if (call->len + len > LIMIT_KUBE_ANSWER_BYTES) {
		call->too_long = true;
		return;
	}
	call->body = xrealloc(call->body, call->len + len + 1, 1);
	memcpy(call->body + call->len, data, len);
	call->len += len;
	call->body[call->len] = '\0';
}

static size_t on_body(char *data, size_t size, size_t nr, void *ctx)
{
	struct kube_call *call = ctx;
	long code = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &code);
	if (call->request.stream && code == 200) {
		call->request.piece(call->request.ctx, data, size * nr);
		call->has_pieces = true;
		return size * nr;
	}
	keep_body(call, data, size * nr);
	return call->too_long ? 0 : size * nr;
}

static size_t on_header(char *data, size_t size, size_t nr, void *ctx)
{
	static const char retry[] = "retry-after:", warning[] = "warning:";
	struct kube_call *call = ctx;
	size_t len = size * nr;
	char text[KUBE_WARNING_MAX];

	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, data, len);
	text[len] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	if (strncasecmp(text, retry, sizeof(retry) - 1) == 0) {
		long s = strtol(text + sizeof(retry) - 1, NULL, 10);

		if (s > 0)
			call->retry_after_ns = MIN(s, RETRY_AFTER_MAX_S) * NSEC_PER_SEC;
	} else if (strncasecmp(text, warning, sizeof(warning) - 1) == 0) {
		memcpy(call->warning, text, len + 1);
	}
	return size * nr;
}

static int on_socket(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	unsigned int ms = DEAD_AFTER_MS;

	(void)ctx;
	(void)purpose;
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return CURL_SOCKOPT_OK;
}

/* --- a try --- */

void kube_call_reset(struct kube_call *call)
{
	curl_slist_free_all(TAKE_PTR(call->headers));
	free(TAKE_PTR(call->body));
	call->len = 0;
	call->retry_after_ns = 0;
	call->warning[0] = call->error[0] = '\0';
	call->paused = call->has_pieces = call->too_long = false;
}

static void add_header(struct kube_call *call, const char *text)
{
	call->headers = curl_slist_append(call->headers, text);
	if (!call->headers)
		abort();
}

/* libcurl checks the certificate against the name in the URL: put the wanted name there, connect to the
 * real one, and say the real one to the server. */
static void set_url(struct kube_call *call, const struct kube_config *config)
{
	cleanup(freep) char *url = xasprintf("%s%s", config->server, call->request.path);
	CURLU *parts = curl_url();
	char *host = NULL, *port = NULL;

	curl_easy_setopt(call->easy, CURLOPT_URL, url);
	if (config->tls_server_name && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
		cleanup(freep) char *to = xasprintf("::%s:%s", host, port);
		cleanup(freep) char *header = xasprintf("Host: %s:%s", host, port);
		char *named = NULL;

		curl_url_set(parts, CURLUPART_HOST, config->tls_server_name, 0);
		if (curl_url_get(parts, CURLUPART_URL, &named, 0) == CURLUE_OK) {
			curl_easy_setopt(call->easy, CURLOPT_URL, named);
			curl_slist_free_all(call->connect_to);
			call->connect_to = curl_slist_append(NULL, to);
			curl_easy_setopt(call->easy, CURLOPT_CONNECT_TO, call->connect_to);
			add_header(call, header);
		}
		curl_free(named);
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(parts);
}

static void set_transport(struct kube_call *call, const struct kube_config *config)
{
	CURL *easy = call->easy;
	const struct kube_request *request = &call->request;

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, PROBE_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, PROBE_EACH_S);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
	if (!request->stream)
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, UNARY_TIMEOUT_MS);
	if (request->gzip && !config->disable_compression)
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
}

/* "" and not NULL: libcurl would look into the environment itself. */
static void set_proxy(CURL *easy, const char *proxy)
{
	curl_easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy : "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	/* What the proxy says is not what the server says; and nothing of ours is for the proxy. */
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
}

void kube_call_setup(struct kube_call *call, const struct kube_way *way, int64_t now_ns)
{
	const struct kube_request *request = &call->request;
	CURL *easy = call->easy;

	curl_easy_reset(easy);
	kube_call_reset(call);
	call->began_ns = now_ns;
	call->tries++;
	set_url(call, kube_auth_config(way->auth));
	set_transport(call, kube_auth_config(way->auth));
	set_proxy(easy, way->proxy);
	add_header(call, "Accept: application/json");
	if (request->body) {
		cleanup(freep) char *type = xasprintf("Content-Type: %s", request->content_type);

		add_header(call, type);
		add_header(call, "Expect:");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, way->user_agent);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	kube_auth_apply(way->auth, easy, &call->headers);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
}

static int failure_of(const struct kube_call *call, CURLcode result)
{
	switch (result) {
	case CURLE_OK:
		return 0;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_PEER_FAILED_VERIFICATION:
		return -EPROTO;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	default:
		return call->too_long ? -EMSGSIZE : -EIO;
	}
}

void kube_call_answer(const struct kube_call *call, CURLcode result, struct kube_answer *ret_answer)
{
	long code = 0;

	*ret_answer = (struct kube_answer){ .failure = failure_of(call, result) };
	if (ret_answer->failure)
		err_set(&ret_answer->err, ret_answer->failure, "%s %.200s: %s",
			call->request.method, call->request.path,
			call->error[0] ? call->error : curl_easy_strerror(result));
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &code);
	ret_answer->code = (int)code;
	ret_answer->retry_after_ns = call->retry_after_ns;
	ret_answer->body = call->body ? call->body : "";
	ret_answer->len = call->len;
}

/* --- life --- */

struct kube_call *kube_call_new(struct kube_http *http, const struct kube_request *request)
{
	struct kube_call *call = xcalloc(1, sizeof(*call));

	call->http = http;
	call->request = *request;
	call->request.method = xstrdup(request->method);
	call->request.path = xstrdup(request->path);
	call->request.body = request->body ? xstrndup(request->body, request->body_len) : NULL;
	call->request.content_type = request->content_type ? xstrdup(request->content_type) : NULL;
	call->easy = curl_easy_init();
	if (!call->easy)
		abort();
	return call;
}

void kube_call_free(struct kube_call *call)
{
	kube_call_reset(call);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->connect_to);
	free((char *)call->request.method);
	free((char *)call->request.path);
	free((char *)call->request.body);
	free((char *)call->request.content_type);
	free(call);
}

/* --- warnings --- */

void kube_warnings_log(struct kube_warnings *warnings, const struct kube_call *call)
{
	if (!call->warning[0] || warnings->nr >= WARNINGS_MAX)
		return;
	for (size_t i = 0; i < warnings->nr; i++)
		if (strcmp(warnings->text[i], call->warning) == 0)
			return;
	GROW(warnings->text, warnings->nr);
	warnings->text[warnings->nr++] = xstrdup(call->warning);
	log_warn("the API server warns", LOG_STR("path", call->request.path),
		 LOG_STR("text", call->warning));
}

void kube_warnings_release(struct kube_warnings *warnings)
{
	for (size_t i = 0; i < warnings->nr; i++)
		free(warnings->text[i]);
	free(warnings->text);
}
