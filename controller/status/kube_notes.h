/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_STATUS_KUBE_NOTES_H
#define CONTROLLER_STATUS_KUBE_NOTES_H

/* Sends Events (controller/core/status/kube_event.h) to the Kubernetes API, one at a time, behind everything else.
 * Nothing waits for them, and they may be lost. */

#include "controller/core/object/model.h"
#include "controller/core/status/kube_event.h"
#include "lib/core/base.h"

struct kube_http;
struct kube_notes;
struct metrics;
struct uv_loop_s;

struct kube_notes *kube_notes_new(struct uv_loop_s *loop, struct kube_http *http,
				  struct metrics *metrics);
/* To be called before kube_http_close(); the memory goes when the loop has run its close callbacks. */
void kube_notes_close(struct kube_notes *notes);

/* For reconcile_set_notes(): `text` is a sentence on what happened to `object`. */
void kube_notes_add(void *ctx, enum kube_event_what what, const struct object *object,
		    const char *text);

#endif
