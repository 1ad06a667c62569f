/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_SOURCE_KUBE_SOURCE_H
#define CONTROLLER_SOURCE_KUBE_SOURCE_H

/* The Kubernetes API as the source of all objects and the store of all statuses: the counterpart of
 * source_dir.h and status_dir.h. */

#include "controller/core/source/source_sink.h"
#include "controller/core/source/status_store.h"
#include "controller/core/status/policy_event.h"
#include "kube/core/config/kubeconfig.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

struct kube_http;
struct kube_source;
struct metrics;
struct uv_loop_s;

/* Takes *config over.  Watches are begun anew after `watch_timeout_ns` (rounded down to seconds), or up to
 * twice that.  Nothing is asked before kube_source_start(). */
must_check int kube_source_new(struct uv_loop_s *loop, struct kube_config *config,
			       int64_t watch_timeout_ns, struct metrics *metrics,
			       struct kube_source **ret_source, struct err *err);

/* For reconcile_new(). */
struct status_store kube_source_store(struct kube_source *source);

/* The connection; it is there until kube_source_close(). */
struct kube_http *kube_source_http(const struct kube_source *source);

/* Follow all resources and tell `sink` (copied; its ctx must outlive the source).  `known` is called once, when
 * everything has been read for the first time, before anything has settled. */
void kube_source_start(struct kube_source *source, const struct source_sink *sink,
		       void (*known)(void *ctx), void *ctx);

/* Tell it as an Event, with a struct kube_source as ctx: for reconcile_set_notes(). */
void kube_source_note(void *ctx, enum policy_event event, const struct object *object,
		      const char *text);

/* Stop: nothing is told any more.  The statuses that are wanted are still written, for three seconds at most; the memory
 * goes when the loop has run until then. */
void kube_source_close(struct kube_source *source);

/* False, with the reason, until everything has been read once, and while something cannot be. */
bool kube_source_ok(const struct kube_source *source, struct err *ret_why);

#endif
