/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_STATUS_KUBE_STATUS_H
#define CONTROLLER_STATUS_KUBE_STATUS_H

/* Statuses in the Kubernetes API: server-side apply on the status subresource.  One request per object is
 * under way, the latest status wins, and nothing is sent that the API has already.  What fails is tried
 * again for as long as the object is there and wants it. */

#include "controller/core/source/status_store.h"
#include "kube/http.h"
#include "lib/core/base.h"

#define KUBE_FIELD_MANAGER "rubato-controller"

struct kube_status;
struct metrics;

/* `stored` is called when the status of an object has reached the API. */
struct kube_status *kube_status_new(struct uv_loop_s *loop, struct kube_http *http,
				    void (*stored)(void *ctx, enum object_kind kind, const char *ns,
						   const char *name),
				    void *ctx, struct metrics *metrics);
/* Nothing new comes: write what is wanted, without waiting for the token bucket, for at most three seconds.  Then, from the
 * loop, `finished` is called; `stored` is not any more. */
void kube_status_finish(struct kube_status *kube, void (*finished)(void *ctx), void *ctx);

/* To be called before kube_http_close(); the memory goes when the loop has run its close callbacks. */
void kube_status_close(struct kube_status *kube);

struct status_store kube_status_store(struct kube_status *kube);

/* The API has an object like this: `json`, of which the status and the resourceVersion are looked at.  A status that another
 * has written, removed or restored since our last write is written again. */
void kube_status_learn(struct kube_status *kube, const struct object *object, const json_t *json);

/* False, with the reason, while statuses cannot be written. */
bool kube_status_ok(const struct kube_status *kube, struct err *ret_why);

#endif
