/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_EVENT_RECORDER_H
#define KUBE_CORE_EVENT_RECORDER_H

/* Events (events.k8s.io/v1): what `kubectl describe` shows of an object's course.  Pure: what is to be sent comes out as
 * requests, and what came of them goes in; event_sender.h sends them.
 *
 * The first of its kind (same object, same reason) is POSTed, the second makes it a series of two; further ones only
 * count, and are told every EVENT_REFRESH_NS and when it has been quiet for EVENT_QUIET_NS (the API's conventions; the
 * server forgets an event after an hour).  Events are a courtesy: when EVENT_MAX are known or the API server does not
 * want them, they are dropped; what matters belongs into a status.
 *
 * Namespaces take turns, and each has the same share of the room (event_shares.h): one with thousands of events holds up
 * nobody else's, and gives up its own when there is no room for others'.
 */

#include "lib/core/base.h"

#define EVENT_MAX 1000
#define EVENT_TRIES 12
#define EVENT_RETRY_NS (10 * NSEC_PER_SEC)
#define EVENT_REFRESH_NS (1800 * NSEC_PER_SEC)
#define EVENT_QUIET_NS (360 * NSEC_PER_SEC)

struct event_recorder;

/* Why there is an event: one word each, as the API's conventions want it. */
struct event_reason {
	const char *type;   /* "Normal", "Warning" */
	const char *action; /* what was done: "Raise" */
	const char *reason; /* "RateRaised" */
};

struct event_object {
	const char *api_version, *kind;
	const char *ns; /* "" = cluster-scoped */
	const char *name, *uid;
};

struct event_request {
	uint64_t id;		  /* for event_recorder_done() */
	const char *method;	  /* "POST", "PATCH" */
	const char *content_type; /* of the body */
	char *path, *body;	  /* the caller's: event_request_release() */
};

void event_request_release(struct event_request *call);

/* Who reports.  `controller`: "example.com/program", which must outlive it; `instance`: the pod's name, copied; cut to
 * 128 bytes. */
struct event_recorder *event_recorder_new(const char *controller, const char *instance);
void event_recorder_free(struct event_recorder *recorder);

/* It happened.  `reason` is known by its address and must outlive the recorder; `note` is a sentence (UTF-8; cut to
 * 1024 bytes).  `wall_ns` is told, `now_ns` (CLOCK_BOOTTIME) is what waits are counted by.  False when one was
 * dropped that the API server has not heard of: this one, or another for it. */
bool event_recorder_note(struct event_recorder *recorder, const struct event_reason *reason,
			 const struct event_object *object, const char *note, int64_t wall_ns,
			 int64_t now_ns);

/* The next request that is due; false = none is.  At most one per event is under way. */
bool event_recorder_next(struct event_recorder *recorder, int64_t now_ns,
			 struct event_request *ret_call);
/* When event_recorder_next() will have one; INT64_MAX = never, unless something happens. */
int64_t event_recorder_wake_ns(const struct event_recorder *recorder);

/* What came of request `id`: the HTTP code, 0 = no answer.  Returns false when the event was dropped. */
bool event_recorder_done(struct event_recorder *recorder, uint64_t id, int code, int64_t now_ns);

size_t event_recorder_nr(const struct event_recorder *recorder);

#endif
