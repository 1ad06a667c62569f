/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_REFLECTOR_REFLECTOR_PRIV_H
#define KUBE_REFLECTOR_REFLECTOR_PRIV_H

/* Between reflector.c (requests, and what a step says) and reflector_read.c (what comes). */

#include "kube/core/watch/json_lines.h"
#include "kube/core/watch/list_split.h"
#include "kube/core/watch/watch_fsm.h"
#include "kube/core/watch/watch_read.h"
#include "kube/http.h"
#include "kube/reflector/reflector.h"

#include <uv.h>

struct reflector {
	struct reflector_options options;
	struct watch_state state;
	struct key_set seen; /* of the sync under way */
	bool syncing, changed, closing;
	bool sweeping, swept_some; /* a sync is over, but for removing what did not come */
	struct kube_call *call;
	int64_t call_ns; /* when the last request that has ended was begun */
	struct json_lines lines;
	struct list_split split;
	struct watch_read page; /* the metadata of the list under way */
	bool over;		/* the call has ended; `end` is to be told when the rest is read */
	struct watch_event end;
	const char *told_why;	      /* as last logged; NULL = something has come since */
	struct err end_err, last_err; /* of this request; of the last that failed, until a sync */
	uv_timer_t timer;	      /* deadline or wait */
	/* The rest of what has come; a timer of 0 would fire in the same turn again. */
	uv_idle_t slice;
	int open_handles;
};

/* Something happened.  `read` is what came, or NULL when nothing did. */
void reflector_step(struct reflector *reflector, const struct watch_event *event,
		    const struct watch_read *read);

/* Drain again at the next turn. */
void reflector_go_on(struct reflector *reflector);

/* All that was to be removed after a sync is: go on. */
void reflector_swept(struct reflector *reflector);

/* Read what is there for a while; the rest is read in the next turn of the loop, and until then the server
 * waits. */
void reflector_drain(struct reflector *reflector);

#endif
