/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sink/push_call.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "agent/core/push/push_url.h"
#include "lib/core/text/encode.h"
#include "lib/fs.h"

#define FILE_BYTES (1024UL * 1024) /* of certificates */
#define GRPC_MESSAGE_BYTES 1024
/* Before this version a second request on a connection that was HTTP/2 from its first byte fails (curl#10634). */
#define H2C_REUSE 0x080000U

struct push_call {
	CURL *easy;
	struct curl_slist *headers;
	uint8_t *body;
	bool grpc, cut;
	int grpc_status;
	char grpc_message[GRPC_MESSAGE_BYTES];
	char *text; /* of the answer */
	size_t len;
	char error[CURL_ERROR_SIZE];
};

/* --- credentials --- */

/* A file's one line. */
static int read_secret(const char *path, char **ret_secret, struct err *err)
{
	cleanup(freep) char *text = NULL;
	size_t len = 0;
	int r = fs_read_file(path, PUSH_SECRET_BYTES, &text, &len, err);

	if (r < 0)
		return r;
	while (len && strchr(" \n\r\t", text[len - 1]))
		text[--len] = '\0';
	if (!len || strlen(text) != len || strpbrk(text, "\r\n"))
		return err_set(err, -EINVAL, "%s: must be one line", path);
	*ret_secret = TAKE_PTR(text);
	return 0;
}

static int check_file(const char *path, struct err *err)
{
	cleanup(freep) char *text = NULL;
	size_t len;

	return path ? fs_read_file(path, FILE_BYTES, &text, &len, err) : 0;
}

int push_target_check(const struct push_target *target, struct err *err)
{
	cleanup(freep) char *password = NULL;
	cleanup(freep) char *token = NULL;
	int r = 0;

	if (target->password_file)
		r = read_secret(target->password_file, &password, err);
	if (r == 0 && target->token_file)
		r = read_secret(target->token_file, &token, err);
	if (r == 0)
		r = check_file(target->tls_ca, err);
	if (r == 0)
		r = check_file(target->tls_cert, err);
	return r < 0 ? r : check_file(target->tls_key, err);
}

static void add_header(struct push_call *call, const char *text)
{
	call->headers = curl_slist_append(call->headers, text);
	if (!call->headers)
		abort();
}

static int set_credentials(struct push_call *call, const struct push_target *target,
			   struct err *err)
{
	cleanup(freep) char *secret = NULL;
	cleanup(freep) char *header = NULL;
	int r = 0;

	if (target->user) {
		if (target->password_file)
			r = read_secret(target->password_file, &secret, err);
		curl_easy_setopt(call->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(call->easy, CURLOPT_USERNAME, target->user);
		curl_easy_setopt(call->easy, CURLOPT_PASSWORD, secret ? secret : "");
	} else if (target->token_file) {
		r = read_secret(target->token_file, &secret, err);
		header = xasprintf("Authorization: Bearer %s", secret ? secret : "");
		add_header(call, header);
	}
	return r;
}

/* --- what comes --- */

static size_t on_body(char *data, size_t size, size_t nr, void *ctx)
{
	struct push_call *call = ctx;
	size_t len = size * nr, room = PUSH_ANSWER_BYTES - call->len;

	if (len > room) {
		call->cut = true;
		return 0;
	}
	call->text = xrealloc(call->text, call->len + len, 1);
	memcpy(call->text + call->len, data, len);
	call->len += len;
	return len;
}

/* gRPC's message has %XX for what is no printable ASCII. */
static void decode(const char *text, size_t len, char *ret_text, size_t size)
{
	size_t out = 0;

	for (size_t i = 0; i < len && out < size - 1; i++) {
		bool coded = text[i] == '%' && i + 2 < len &&
			     hex_decode(text + i + 1, ret_text + out, 1);

		if (!coded)
			ret_text[out] = text[i];
		else
			i += 2;
		out++;
	}
	ret_text[out] = '\0';
}

static const char *value_of(const char *line, const char *end, const char *name, size_t *ret_len)
{
	size_t len = strlen(name);

	if ((size_t)(end - line) <= len || strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	line += len + 1;
	while (line < end && *line == ' ')
		line++;
	while (end > line && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	*ret_len = (size_t)(end - line);
	return line;
}

static size_t on_header(char *data, size_t size, size_t nr, void *ctx)
{
	struct push_call *call = ctx;
	const char *end = data + size * nr, *value;
	size_t len;

	value = value_of(data, end, "grpc-status", &len);
	if (value && len && len <= 4) {
		call->grpc_status = 0;
		for (size_t i = 0; i < len; i++)
			call->grpc_status = value[i] >= '0' && value[i] <= '9'
						    ? 10 * call->grpc_status + value[i] - '0'
						    : 9999;
	}
	value = value_of(data, end, "grpc-message", &len);
	if (value)
		decode(value, len, call->grpc_message, sizeof(call->grpc_message));
	return size * nr;
}

/* --- a request --- */

static void set_headers(struct push_call *call, const struct push_target *target,
			const char *tenant)
{
	cleanup(freep) char *type = xasprintf("Content-Type: %s", push_wire_type(target->wire));

	add_header(call, type);
	add_header(call, "Expect:");
	if (target->wire == PUSH_WIRE_PYROSCOPE)
		add_header(call, "Connect-Protocol-Version: 1");
	if (call->grpc) {
		add_header(call, "TE: trailers");
		add_header(call, "Grpc-Timeout: 30S");
	}
	if (*tenant) {
		cleanup(freep) char *header = xasprintf("%s: %s", target->tenant_header, tenant);

		add_header(call, header);
	}
	for (size_t i = 0; i < target->header_nr; i++)
		add_header(call, target->header[i]);
}

static void set_tls(CURL *easy, const struct push_target *target)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* Else libcurl would keep what it once read of it for a day. */
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
	if (target->tls_ca)
		curl_easy_setopt(easy, CURLOPT_CAINFO, target->tls_ca);
	if (target->tls_cert)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, target->tls_cert);
	if (target->tls_key)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, target->tls_key);
}

static void set_version(CURL *easy, const struct push_target *target)
{
	bool tls = push_url_is_tls(target->url);

	if (target->wire != PUSH_WIRE_PARCA_GRPC) {
		curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 tls ? (long)CURL_HTTP_VERSION_2TLS
			     : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	if (!tls && curl_version_info(CURLVERSION_NOW)->version_num < H2C_REUSE) {
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
		curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	}
}

static void set_transport(struct push_call *call, const struct push_target *target)
{
	cleanup(freep) char *url = push_url_make(target->url, target->wire);
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, PUSH_CONNECT_TIMEOUT_S);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT, PUSH_TIMEOUT_S);
	curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, PUSH_CONNECTION_S);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, target->user_agent);
	/* What a proxy says is not what the backend says; and nothing of ours is for the proxy. */
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	set_version(easy, target);
	set_tls(easy, target);
}

static void set_callbacks(struct push_call *call)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
}

int push_call_new(const struct push_target *target, const char *tenant, uint8_t *body, size_t len,
		  struct push_call **ret_call, struct err *err)
{
	struct push_call *call = xcalloc(1, sizeof(*call));
	int r;

	call->easy = curl_easy_init();
	if (!call->easy)
		abort();
	call->body = body;
	call->grpc = target->wire == PUSH_WIRE_PARCA_GRPC;
	call->grpc_status = -1;
	set_transport(call, target);
	set_headers(call, target, tenant);
	set_callbacks(call);
	r = set_credentials(call, target, err);
	if (r < 0) {
		push_call_free(call);
		return r;
	}
	curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
	*ret_call = call;
	return 0;
}

void push_call_free(struct push_call *call)
{
	if (!call)
		return;
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	free(call->body);
	free(call->text);
	free(call);
}

CURL *push_call_easy(const struct push_call *call)
{
	return call->easy;
}

void push_call_answer(const struct push_call *call, CURLcode result, struct push_answer *ret_answer)
{
	long code = 0, sent = 0;
	curl_off_t wait_s = 0;
	const char *text;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &sent);
	curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &wait_s);
	/* An answer of which we read enough is one. */
	*ret_answer = (struct push_answer){
		.connected = sent > 0,
		.answered = result == CURLE_OK || (call->cut && code > 0),
		.code = (int)code,
		.grpc = call->grpc,
		.grpc_status = call->grpc_status,
		.retry_after_ns = (int64_t)MIN(MAX(wait_s, 0), 86400) * NSEC_PER_SEC,
		.text = call->text ? call->text : "",
		.len = call->len,
	};
	if (ret_answer->answered && call->grpc_status < 0)
		return;
	text = call->error[0] ? call->error : curl_easy_strerror(result);
	ret_answer->text = ret_answer->answered ? call->grpc_message : text;
	ret_answer->len = strlen(ret_answer->text);
}
