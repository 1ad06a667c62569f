/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_HUB_KUBE_EPOCH_H
#define CONTROLLER_HUB_KUBE_EPOCH_H

/* The epoch of a controller that counts its starts in a Lease of its own namespace (controller/core/session/lease.h), in
 * which leader election will count its leaders.
 *
 * There is no way around the Lease: an epoch that may have been before lets a ghost of the old controller speak.  While it
 * cannot be had (no right, no answer) it is asked for again and again, and the sentence why is logged (once) and kept for
 * /readyz; meanwhile the old controller, if there is one, goes on serving.
 */

#include "lib/core/base.h"
#include "lib/core/control/control_msg.h"
#include "lib/core/err.h"

struct kube_epoch;
struct kube_http;
struct uv_loop_s;

/* Begin to ask by `http`, which must outlive kube_epoch_close(); `had` is called once, from the loop, when kube_epoch_get()
 * has it.  -EINVAL when our namespace is none. */
must_check int kube_epoch_new(struct uv_loop_s *loop, struct kube_http *http,
			      void (*had)(void *ctx), void *ctx, struct kube_epoch **ret_epoch,
			      struct err *err);

/* False until we have one. */
bool kube_epoch_get(const struct kube_epoch *epoch, struct control_epoch *ret);
/* The same, with the reason. */
bool kube_epoch_ok(const struct kube_epoch *epoch, struct err *ret_why);

/* To be called before kube_http_close(); the memory goes when the loop has run its close callbacks.  NULL is nothing. */
void kube_epoch_close(struct kube_epoch *epoch);

#endif
