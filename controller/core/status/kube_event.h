/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STATUS_KUBE_EVENT_H
#define CONTROLLER_CORE_STATUS_KUBE_EVENT_H

/* Events (events.k8s.io/v1): what `kubectl describe` shows of a policy's course.  Pure: what is to be sent
 * comes out as requests, and what came of them goes in.
 *
 * The first of its kind (same object, type, action, reason) is POSTed, the second makes it a series of two;
 * further ones only count, and are told every KUBE_EVENT_REFRESH_NS and when it has been quiet for
 * KUBE_EVENT_QUIET_NS.  Events are a courtesy: when the table is full or the API server does not want them,
 * they are dropped; statuses hold what matters.
 */

#include "lib/core/base.h"

#define KUBE_EVENT_MAX 1000
#define KUBE_EVENT_TRIES 12
#define KUBE_EVENT_RETRY_NS (10 * NSEC_PER_SEC)
#define KUBE_EVENT_REFRESH_NS (1800 * NSEC_PER_SEC)
#define KUBE_EVENT_QUIET_NS (360 * NSEC_PER_SEC)

struct kube_events;

enum kube_event_what {
	KUBE_EVENT_RAISED,   /* Normal RateRaised */
	KUBE_EVENT_RESTORED, /* Normal RateRestored */
	KUBE_EVENT_CLAMPED,  /* Warning RateClamped */
	KUBE_EVENT_FAILED,   /* Warning NotApplied */
	KUBE_EVENT_REFUSED,  /* Warning Invalid */
	KUBE_EVENT_NR,
};

struct kube_event_object {
	const char *api_version, *kind;
	const char *ns; /* "" = cluster-scoped */
	const char *name, *uid;
};

struct kube_event_call {
	uint64_t id;		  /* for kube_events_done() */
	const char *method;	  /* "POST", "PATCH" */
	const char *content_type; /* of the body */
	char *path, *body;	  /* the caller's: kube_event_call_release() */
};

void kube_event_call_release(struct kube_event_call *call);

/* `instance`: who reports, the pod's name; cut to 128 bytes. */
struct kube_events *kube_events_new(const char *instance);
void kube_events_free(struct kube_events *events);

/* It happened.  `note` is a sentence (UTF-8; cut to 1024 bytes).  False when it was dropped.  `wall_ns` is
 * told, `now_ns` (CLOCK_BOOTTIME) is what waits are counted by. */
bool kube_events_note(struct kube_events *events, enum kube_event_what what,
		      const struct kube_event_object *object, const char *note, int64_t wall_ns,
		      int64_t now_ns);

/* The next request that is due; false = none is.  At most one per event is under way. */
bool kube_events_next(struct kube_events *events, int64_t now_ns, struct kube_event_call *ret_call);
/* When kube_events_next() will have one; INT64_MAX = never, unless something happens. */
int64_t kube_events_wake_ns(const struct kube_events *events);

/* What came of request `id`: the HTTP code, 0 = no answer.  Returns false when the event was dropped. */
bool kube_events_done(struct kube_events *events, uint64_t id, int code, int64_t now_ns);

size_t kube_events_nr(const struct kube_events *events);

#endif
