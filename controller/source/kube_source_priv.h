/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_SOURCE_KUBE_SOURCE_PRIV_H
#define CONTROLLER_SOURCE_KUBE_SOURCE_PRIV_H

/* Between kube_source.c (all kinds together) and kube_follow.c (the objects of one). */

#include "controller/source/kube_source.h"
#include "kube/reflector/reflector.h"

#define KUBE_SOURCE_KINDS OBJECT_KIND_NR

/* One kind of object. */
struct kube_follow {
	struct kube_source *source;
	enum object_kind kind;
	struct reflector_resource resource;
	struct reflector *reflector; /* NULL = not started */
	struct key_set told;	     /* whose refusal is logged */
	struct sweep_at swept;
	struct metric *objects, *refused;
};

struct kube_source {
	struct uv_loop_s *loop;
	struct metrics *metrics;
	struct kube_http *http;
	struct kube_status *status;
	struct event_sender *events; /* of policies */
	struct event_sender
		*doubts; /* of what cannot be read: they must not stand in the others' way */
	struct source_sink sink;
	struct kube_follow follow[KUBE_SOURCE_KINDS];
	int64_t watch_timeout_s;
	bool changed;  /* since it was last settled */
	bool complete; /* all have been in sync */
	void (*known)(void *ctx);
	void *known_ctx;
};

void kube_follow_start(struct kube_follow *follow);
void kube_follow_close(struct kube_follow *follow);

/* A slice of changes is over; a sync is. */
void kube_source_settled(struct kube_source *source);
void kube_source_synced(struct kube_source *source);

#endif
