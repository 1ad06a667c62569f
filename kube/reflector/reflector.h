/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_REFLECTOR_REFLECTOR_H
#define KUBE_REFLECTOR_REFLECTOR_H

/* One resource of the Kubernetes API, followed (watch_fsm.h).  Work is done in slices of 5 ms; what does not
 * fit waits for the next turn of the loop, and the server waits with it. */

#include "controller/core/object/model.h"
#include "kube/core/watch/key_set.h"
#include "kube/http.h"
#include "lib/core/base.h"

struct kube_watch;
struct metrics;

struct kube_watch_resource {
	enum object_kind kind;
	const char *path; /* "/api/v1/pods" */
	const char *api_version;
};

struct kube_watch_events {
	/* Take `object` over.  `status` is what the API has as its status, or NULL; borrowed. */
	void (*apply)(void *ctx, struct object *object, const json_t *status);
	/* Instead of apply: the policy cannot be used; `why` begins with the field.  Take `outline`
	 * (object_outline()) over.  Other kinds are only logged. */
	void (*refuse)(void *ctx, struct object *outline, const json_t *status, const char *why);
	void (*remove)(void *ctx, enum object_kind kind, const char *ns, const char *name);
	/* Remove objects of the kind that are not in `keep`: a few, from `at` on.  True when that was all. */
	bool (*sweep)(void *ctx, enum object_kind kind, const struct key_set *keep,
		      struct sweep_at *at);
	/* A slice of changes is over.  Not told during a sync. */
	void (*settled)(void *ctx);
	/* A sync is over: everything that is there has been told. */
	void (*synced)(void *ctx, enum object_kind kind);
};

/* `resource`, `events` and what they point to must outlive it. */
struct kube_watch *kube_watch_new(struct uv_loop_s *loop, struct kube_http *http,
				  const struct kube_watch_resource *resource,
				  const struct kube_watch_events *events, void *ctx,
				  struct metrics *metrics);

/* How long a watch is asked for, s, at least; up to twice that.  To be called before the loop turns. */
void kube_watch_set_timeout(struct kube_watch *watch, int64_t timeout_s);

/* Stop; the memory goes when the loop has run its close callbacks.  To be called before
 * kube_http_close(). */
void kube_watch_close(struct kube_watch *watch);

/* False, with the reason, while the resource has not been read once, or is forbidden or missing. */
bool kube_watch_ok(const struct kube_watch *watch, struct err *ret_why);
bool kube_watch_synced(const struct kube_watch *watch);

#endif
