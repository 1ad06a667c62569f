/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CALL_H
#define KUBE_CALL_H

/* One request to the Kubernetes API as a libcurl handle.  Inside of http.h. */

#include "kube/auth.h"
#include "kube/request.h"
#include "lib/core/base.h"

#include <curl/curl.h>

#define KUBE_WARNING_MAX 512

struct kube_http;

struct kube_call {
	struct kube_call *next;
	struct kube_http *http;
	struct kube_request request; /* its texts are ours */
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	char error[CURL_ERROR_SIZE];
	bool running, over, paused, has_pieces, too_long, reauthorized;
	int tries;
	int64_t due_ns, began_ns;
	/* of the answer */
	int64_t retry_after_ns;
	char warning[KUBE_WARNING_MAX];
	char *body;
	size_t len;
};

/* Texts that were logged; after so many no more are. */
struct kube_warnings {
	char **text;
	size_t nr;
};

struct kube_call *kube_call_new(struct kube_http *http, const struct kube_request *request);
void kube_call_free(struct kube_call *call);

/* How calls go. */
struct kube_way {
	struct kube_auth *auth;
	const char *proxy; /* NULL = none */
	const char *user_agent;
};

/* Make the handle ready for a try. */
void kube_call_setup(struct kube_call *call, const struct kube_way *way, int64_t now_ns);
/* Forget what came of a try. */
void kube_call_reset(struct kube_call *call);
/* What came of it; the body is borrowed from the call. */
void kube_call_answer(const struct kube_call *call, CURLcode result,
		      struct kube_answer *ret_answer);

void kube_warnings_log(struct kube_warnings *warnings, const struct kube_call *call);
void kube_warnings_release(struct kube_warnings *warnings);

#endif
