/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_AUTH_H
#define KUBE_AUTH_H

/* Who we are to the Kubernetes API, kept fresh: the token file is read again every minute, the CA and the client's
 * certificate every five, all of them when something went wrong; an exec plugin is run when what it gave expires
 * or was refused, at most every five seconds (every minute while it fails).  What cannot be read, or is
 * half written, stays as it was.  Nothing blocks but reading small files.
 */

#include "kube/core/config/kubeconfig.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#include <curl/curl.h>

struct kube_auth;
struct uv_loop_s;

/* Takes *config over.  `changed` is called when an exec plugin has ended: kube_auth_ready() may say
 * something else now.  Returns 0 or an error of reading the CA or a certificate. */
must_check int kube_auth_new(struct uv_loop_s *loop, struct kube_config *config,
			     void (*changed)(void *ctx), void *ctx, struct kube_auth **ret_auth,
			     struct err *err);
/* Stop; the memory goes when the loop has run its close callbacks. */
void kube_auth_close(struct kube_auth *auth);

const struct kube_config *kube_auth_config(const struct kube_auth *auth);

/* 0: kube_auth_apply() may be called; -EAGAIN: a plugin runs, `changed` will tell; else why not. */
must_check int kube_auth_ready(struct kube_auth *auth, struct err *err);

/* Set certificates and verification of a handle, and add the Authorization and Impersonate headers to *headers.  The
 * handle must not outlive the auth. */
void kube_auth_apply(struct kube_auth *auth, CURL *easy, struct curl_slist **headers);

/* A request that was begun at `began_ns` (CLOCK_BOOTTIME) was answered with 401: read the files again, and forget
 * what a plugin gave before. */
void kube_auth_refused(struct kube_auth *auth, int64_t began_ns);

/* A connection failed: read the files again. */
void kube_auth_reload(struct kube_auth *auth);

#endif
