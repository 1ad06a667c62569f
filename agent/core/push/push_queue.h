/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PUSH_PUSH_QUEUE_H
#define AGENT_CORE_PUSH_PUSH_QUEUE_H

/* What waits to be sent to one backend, in memory and in a spool, and what may be sent now.  Pure.
 *
 * Namespaces are tenants, and none pays for another.  Each has a lane of its own, the oldest first.  When memory is
 * full, the oldest of the lane that takes most of it goes to the spool (without one: is dropped); when the spool is
 * full, the oldest of the lane that takes most of that is dropped.  Requests are of one tenant of the backend each;
 * its lanes take turns in them, and the tenants take turns too.  A tenant that is rate-limited, refused or failing
 * waits by itself; only when the backend cannot be reached all wait, and then one request probes it.
 *
 * A profile leaves by events.gone(), once, and says why.  One that the backend has taken is not sent again.
 *
 * Bounds: memory holds at most memory_max bytes (those being sent are counted) plus PUSH_ENTRY_BYTES for each profile,
 * and the spool at most spool_max of the disk, by what spill() says each takes.
 */

#include "agent/core/push/push_answer.h"
#include "agent/core/push/push_tenant.h"
#include "lib/core/base.h"

#define PUSH_ENTRY_BYTES 128
#define PUSH_REQUESTS 4 /* at a time */
#define PUSH_BATCH_BYTES                                                                           \
	(1024UL * 1024) /* of profiles in one request, but for a larger one alone */
#define PUSH_WAIT_FIRST_NS (2 * NSEC_PER_SEC)
#define PUSH_WAIT_LAST_NS (60 * NSEC_PER_SEC)
#define PUSH_REFUSED_WAIT_NS (60 * NSEC_PER_SEC)

enum push_gone {
	PUSH_SENT,
	PUSH_DROPPED_QUEUE_FULL,
	PUSH_DROPPED_SPOOL_FULL,
	PUSH_DROPPED_SPOOL_FAILED, /* could not be written, or read again */
	PUSH_DROPPED_TOO_OLD,
	PUSH_DROPPED_REJECTED,
	PUSH_DROPPED_TOO_LARGE,
	PUSH_DROPPED_FAILING, /* again and again, while others went through */
	PUSH_DROPPED_STOPPED, /* the agent ended, and there is no spool */
	PUSH_GONE_NR
};

struct push_lane;
struct push_tenant;

struct push_entry {
	struct push_entry *next, *prev;
	struct push_lane *lane;
	uint64_t seq;	  /* of its file, too */
	int64_t start_ns; /* CLOCK_REALTIME */
	uint8_t *data;	  /* a push_record; NULL = only in the spool */
	size_t len;
	size_t spool_bytes; /* of the disk; 0 = not in the spool */
	uint32_t tries;	    /* that failed by the backend's fault, or its own */
	uint64_t sent_then; /* how many of its tenant had been sent at the first of them */
	bool alone;	    /* goes by itself */
};

const char *push_entry_ns(const struct push_entry *entry);

struct push_queue_events {
	/* Write it to the spool: what it takes of the disk, or negative.  NULL = there is no spool. */
	int64_t (*spill)(void *ctx, const struct push_entry *entry);
	/* It is freed after this; a file it has in the spool is to be removed. */
	void (*gone)(void *ctx, const struct push_entry *entry, enum push_gone why);
};

struct push_queue_options {
	size_t memory_max, spool_max;
	int64_t max_age_ns; /* of the profile's start; older ones are dropped */
	struct push_tenants tenants;
};

struct push_batch {
	struct push_entry *entry[PUSH_BATCH];
	size_t nr, bytes;
	const char *tenant;	/* "" = none */
	struct push_tenant *of; /* the queue's */
};

struct push_queue_stats {
	size_t nr, memory_bytes, spool_bytes, spool_nr; /* now, those being sent among them */
	uint32_t requests;				/* under way */
	int64_t waits_until_ns; /* the backend cannot be reached; 0 = it can */
};

struct push_queue;

/* The strings of the options must outlive it. */
struct push_queue *push_queue_new(const struct push_queue_options *options,
				  const struct push_queue_events *events, void *ctx);
/* What is in memory is lost, without a word; requests must be over. */
void push_queue_free(struct push_queue *queue);

/* Take `data` over. */
void push_queue_add(struct push_queue *queue, const char *ns, int64_t start_ns, uint8_t *data,
		    size_t len);

/* A file that the spool had at the start; in the order of seq. */
void push_queue_add_spooled(struct push_queue *queue, const char *ns, int64_t start_ns,
			    uint64_t seq, size_t spool_bytes);

/* What to send now: fills ret_batch and returns true; it is to be settled.  Entries without data are to be read from
 * the spool: push_queue_loaded(), or push_queue_lost() if that fails. */
must_check bool push_queue_take(struct push_queue *queue, int64_t now_ns, int64_t wall_ns,
				struct push_batch *ret_batch);

/* Takes `data` over. */
void push_queue_loaded(struct push_queue *queue, struct push_entry *entry, uint8_t *data,
		       size_t len);

/* The entry of the batch could not be read from the spool: it is gone, and out of the batch. */
void push_queue_lost(struct push_queue *queue, struct push_batch *batch, size_t at);

/* The request is over (or there was none, since all of it was lost).  `rnd` is 64 random bits. */
void push_queue_settle(struct push_queue *queue, struct push_batch *batch,
		       const struct push_verdict *verdict, int64_t now_ns, uint64_t rnd);

/* When push_queue_take() may have something (CLOCK_BOOTTIME): now_ns = at once, INT64_MAX = nothing waits for time. */
int64_t push_queue_due(const struct push_queue *queue, int64_t now_ns);

/* Drop what has become too old, and forget namespaces of which there is nothing.  To be called now and then. */
void push_queue_expire(struct push_queue *queue, int64_t now_ns, int64_t wall_ns);

/* The agent ends: what is in memory goes to the spool, or is gone.  No request may be under way. */
void push_queue_stop(struct push_queue *queue);

void push_queue_stats(const struct push_queue *queue, struct push_queue_stats *ret_stats);

#endif
