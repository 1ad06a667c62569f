/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SINK_PUSH_CALL_H
#define AGENT_SINK_PUSH_CALL_H

/* One request to a backend as a libcurl handle.
 *
 * Redirects are not followed: credentials would go along.  A proxy is that of $HTTPS_PROXY, $http_proxy and $NO_PROXY.
 * Files of credentials are read for each request; certificates by libcurl for each connection, none of which lives longer
 * than PUSH_CONNECTION_S: what is rotated is used without a restart. */

#include "agent/core/push/push_answer.h"
#include "agent/core/push/push_body.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#include <curl/curl.h>

#define PUSH_TIMEOUT_S 30L
#define PUSH_CONNECT_TIMEOUT_S 10L
#define PUSH_CONNECTION_S 300L
#define PUSH_SECRET_BYTES (16UL * 1024) /* a token or a password */

struct push_target {
	const char *url; /* as it was given */
	enum push_wire wire;
	const char *user, *password_file; /* basic; NULL = none */
	const char *token_file;		  /* bearer; NULL = none */
	const char *tls_ca, *tls_cert, *tls_key;
	const char *tenant_header;
	const char *const *header; /* "NAME: VALUE" */
	size_t header_nr;
	const char *user_agent;
};

/* Can the files be read, and are they what they should be?  For --check and the start. */
must_check int push_target_check(const struct push_target *target, struct err *err);

struct push_call;

/* Ready for curl_multi_add_handle(); CURLOPT_PRIVATE is the caller's.  Takes `body` over.  A negative errno when a file cannot be
 * read (`body` is freed, too). */
must_check int push_call_new(const struct push_target *target, const char *tenant, uint8_t *body,
			     size_t len, struct push_call **ret_call, struct err *err);
void push_call_free(struct push_call *call);

CURL *push_call_easy(const struct push_call *call);

/* It is over.  The text is borrowed from the call. */
void push_call_answer(const struct push_call *call, CURLcode result,
		      struct push_answer *ret_answer);

#endif
