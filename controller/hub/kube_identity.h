/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_HUB_KUBE_IDENTITY_H
#define CONTROLLER_HUB_KUBE_IDENTITY_H

/* Which node an agent is of, by the token that it shows: the hub's authenticate() with a Kubernetes API.
 *
 * The API server reviews the token (or did within the last minute), then pod and node are compared with
 * what the controller knows now; controller/core/identity/identity.h decides.  Nobody waits for the token
 * bucket of kube_http.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"

struct hub_auth;
struct kube_http;
struct kube_identity;
struct store;

struct kube_identity_options {
	const char *audience;
	/* The agents' ServiceAccount: "NS:NAME" or "NS/NAME"; NULL = "rubato-agent" in our own namespace, which
	 * is that of the pod we are in, or else of the context, or else "default". */
	const char *account;
};

/* `http` and `store` (pods and nodes as they are known now) must outlive kube_identity_close().  -EINVAL when the
 * account is not one. */
must_check int kube_identity_new(struct kube_http *http, const struct store *store,
				 const struct kube_identity_options *options,
				 struct kube_identity **ret_kube, struct err *err);

/* Answer what is outstanding with "unavailable"; later questions are answered so at once.  To be called
 * before kube_http_close(). */
void kube_identity_close(struct kube_identity *kube);
/* After the hub is gone.  NULL is fine. */
void kube_identity_free(struct kube_identity *kube);

/* hub_options.authenticate, with a struct kube_identity as its ctx. */
void kube_identity_ask(void *ctx, const char *token, const char *cert_name, struct hub_auth *auth);

#endif
