/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_HTTP_H
#define KUBE_HTTP_H

/* Requests to the Kubernetes API, on the loop: one of these for a program.
 *
 * A unary request is answered whole, within 30 s a try.  429 and 5xx with Retry-After are tried again, up to 10
 * times, and 401 once with a fresh credential.  Requests are spread by a token bucket (20 a second, 40 at once), except
 * exempt ones.  A stream has a connection of its own and is handed over piece by piece; its status, retries and time are
 * the caller's (reflector/reflector.h is one).  A dead connection is found within 30 s.  Warning headers are logged, once
 * per text.
 *
 * Credentials are kept fresh: files are read again every minute (CA and certificate every five) and after whatever may
 * be their fault, exec plugins are run when what they gave expires.  A proxy is the kubeconfig's, or that of
 * $HTTPS_PROXY, $HTTP_PROXY and $NO_PROXY.
 *
 * Life: kube_http_new(); requests; kube_http_close(), when nobody needs it any more; then the loop until it is empty. */

#include "kube/core/config/kubeconfig.h"
#include "kube/request.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

struct kube_call;
struct kube_http;
struct metric;
struct uv_loop_s;

struct kube_http_options {
	struct kube_config *config; /* kubeconfig_load(); its contents are taken over */
	const char *user_agent;	    /* "PROGRAM/VERSION"; must outlive the connection */
	/* Counters: answers, and requests without one; NULL = not counted. */
	struct metric *answers, *failures;
};

/* Nothing is sent yet.  Returns 0, or an error of reading the CA, a certificate or a token. */
must_check int kube_http_new(struct uv_loop_s *loop, const struct kube_http_options *options,
			     struct kube_http **ret_http, struct err *err);

/* End all calls (nothing is told of them any more); the memory goes when the loop has run its close
 * callbacks. */
void kube_http_close(struct kube_http *http);

const struct kube_config *kube_http_config(const struct kube_http *http);
/* Its URL, maybe with a password; NULL = none. */
const char *kube_http_proxy(const struct kube_http *http);

/* What is in `request` is copied.  Never fails at once: done() is called later. */
struct kube_call *kube_http_send(struct kube_http *http, const struct kube_request *request);

/* done() is not called any more.  NULL is nothing. */
void kube_call_cancel(struct kube_call *call);

/* A stream: stop reading, and go on. */
void kube_call_pause(struct kube_call *call, bool pause);

/* When it was last begun (CLOCK_BOOTTIME), for kube_http_refused(). */
int64_t kube_call_began(const struct kube_call *call);

/* A stream that began then was answered with 401.  (After a failed connection all credentials are read again
 * without a word.) */
void kube_http_refused(struct kube_http *http, int64_t began_ns);

#endif
