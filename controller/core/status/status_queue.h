/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STATUS_STATUS_QUEUE_H
#define CONTROLLER_CORE_STATUS_STATUS_QUEUE_H

/* Which statuses the Kubernetes API has, which are to be written, and which is next.  Pure.
 *
 * One write per object is under way, the latest status wins, and nothing is written that the API has already.
 * What fails is tried again, for as long as the object is there and wants it.  Every step costs the same however many
 * objects there are.
 *
 * What goes first: urgent ones (a boost that waits for its clock), then those that change what a person waits for
 * (status_flips(): a condition, a generation), then those that only count otherwise.  Within each, namespaces take turns,
 * so that nobody waits for thousands of another's.  STATUS_SENDS_MAX are under way at a time, and as many again for urgent
 * ones; of mere counts STATUS_COUNTS_MAX, so that what comes meanwhile waits for few. */

#include "controller/core/object/model.h"
#include "lib/core/backoff.h"
#include "lib/core/base.h"

#include <jansson.h>
#include <sys/queue.h>

#define STATUS_SENDS_MAX 8
#define STATUS_COUNTS_MAX 4
#define STATUS_RETRY_FIRST_NS NSEC_PER_SEC
#define STATUS_RETRY_LAST_NS (30 * NSEC_PER_SEC)
#define STATUS_VERSION_BYTES 64 /* of a resourceVersion */
/* What another has written over is written again at once; who does it again within a while waits longer each time. */
#define STATUS_MEND_CALM_NS (600 * NSEC_PER_SEC)
#define STATUS_MEND_LAST_NS (300 * NSEC_PER_SEC)
#define STATUS_UNANSWERED_LAST_NS (4 * NSEC_PER_SEC) /* when nobody listens, which burdens nobody */

struct status_queue;
struct kube_call;
struct status_turns;
TAILQ_HEAD(status_list, status_entry);

enum status_lane {
	STATUS_URGENT,
	STATUS_FLIP,
	STATUS_COUNT,
	STATUS_LANE_NR,
};

struct status_entry {
	enum object_kind kind;
	char *ns, *name, *uid;
	json_t *sent; /* the status under way; NULL = none is */
	bool urgent;
	struct kube_call *call; /* the caller's, while it is under way */
	void *owner;		/* the caller's */
	/* The queue's own. */
	json_t *stored, *wanted;
	char version[STATUS_VERSION_BYTES]; /* of the object with `stored`; "" = not known */
	bool is_ours;			    /* we have wanted something for it */
	json_t *news;			    /* came while `sent` is under way; NULL = nothing */
	char news_version[STATUS_VERSION_BYTES];
	int64_t mended_ns, mend_wait_ns; /* the last time, and how long it waited */
	bool unsure; /* a write that failed may have taken the place of `stored` */
	struct backoff backoff;
	int64_t due_ns;		    /* of the next try; CLOCK_BOOTTIME */
	struct status_turns *turns; /* those of its namespace */
	enum status_lane lane;	    /* while it is in line */
	struct status_list *in;
	TAILQ_ENTRY(status_entry) place;
};

enum status_outcome {
	STATUS_STORED,
	STATUS_GONE, /* there is no such object, or another of its name; for a while, or we are about to hear of it */
	STATUS_FAILED,
	STATUS_UNANSWERED, /* nobody listens there */
};

/* `drop` is told of an entry under way that is forgotten: end its call. */
struct status_queue *status_queue_new(void (*drop)(struct status_entry *entry));
void status_queue_free(struct status_queue *queue);

/* What the API has of this very object (by uid), or NULL; borrowed until the next call for the object. */
const json_t *status_queue_stored(struct status_queue *queue, const struct object *object);

/* The API has `status` (NULL = none) as the status of an object whose resourceVersion is `version`.  What is newer than the
 * last write of ours and is not what we wrote was written (removed, restored) by another: it is written over. */
void status_queue_learn(struct status_queue *queue, const struct object *object,
			const json_t *status, const char *version, int64_t now_ns);

/* The object's status is to be this (a new reference is taken).  True when the API has it already. */
must_check bool status_queue_want(struct status_queue *queue, const struct object *object,
				  json_t *status, bool urgent);

/* The object is no more. */
void status_queue_forget(struct status_queue *queue, enum object_kind kind, const char *ns,
			 const char *name);

/* What is to be written now: `sent` is under way from here on, until status_queue_done().  NULL = nothing. */
struct status_entry *status_queue_next(struct status_queue *queue, int64_t now_ns);
/* Does something that failed wait for its next try? */
bool status_queue_retries(const struct status_queue *queue);
/* When there will be something, if nothing happens before; INT64_MAX = never. */
int64_t status_queue_wake_ns(const struct status_queue *queue);

/* What came of it.  `version`: the object's resourceVersion now, when it is stored; NULL = not known. */
void status_queue_done(struct status_queue *queue, struct status_entry *entry,
		       enum status_outcome outcome, const char *version, int64_t now_ns,
		       uint64_t rnd);

/* Is something under way, or in line to be sent at once? */
bool status_queue_busy(const struct status_queue *queue);

#endif
