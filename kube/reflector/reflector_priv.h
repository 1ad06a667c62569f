/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_REFLECTOR_REFLECTOR_PRIV_H
#define KUBE_REFLECTOR_REFLECTOR_PRIV_H

/* Between kube_watch.c (requests, and what a step says) and kube_watch_read.c (what comes). */

#include "kube/core/watch/json_lines.h"
#include "kube/core/watch/list_split.h"
#include "kube/core/watch/watch_fsm.h"
#include "kube/core/watch/watch_read.h"
#include "kube/reflector/reflector.h"

#include <uv.h>

struct kube_watch {
	struct kube_http *http;
	const struct kube_watch_resource *resource;
	const struct kube_watch_events *events;
	void *ctx;
	struct watch_state state;
	struct key_set seen; /* of the sync under way */
	struct key_set told; /* whose refusal is logged */
	bool syncing, changed, closing;
	bool sweeping; /* a sync is over, but for removing what did not come */
	struct sweep_at swept;
	struct kube_call *call;
	int64_t call_ns; /* when the last request that has ended was begun */
	struct json_lines lines;
	struct list_split split;
	struct watch_read page; /* the metadata of the list under way */
	struct err broken;	/* the stream cannot be read any further; "" = it can */
	bool over;		/* the call has ended; `end` is to be told when the rest is read */
	struct watch_event end;
	const char *told_why;	      /* as last logged; NULL = something has come since */
	struct err end_err, last_err; /* of this request; of the last that failed, until a sync */
	uv_timer_t timer;	      /* deadline or wait */
	uv_idle_t
		slice; /* the rest of what has come; a timer of 0 would fire in the same turn again */
	int open_handles;
	struct metric *objects, *refused, *lists, *errors;
};

/* Something happened.  `object` is that of the event, or NULL; borrowed. */
void kube_watch_step(struct kube_watch *watch, const struct watch_event *event, json_t *object);

/* Drain again at the next turn. */
void kube_watch_go_on(struct kube_watch *watch);

/* All that was to be removed after a sync is: go on. */
void kube_watch_swept(struct kube_watch *watch);

/* Read what is there for a while; the rest is read in the next turn of the loop, and until then the server
 * waits. */
void kube_watch_drain(struct kube_watch *watch);

#endif
