/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PUSH_PUSH_QUEUE_PRIV_H
#define AGENT_CORE_PUSH_PUSH_QUEUE_PRIV_H

/* The lanes and tenants of a queue: push_lane.c has what they are, push_queue.c how profiles come and go, and
 * push_settle.c what comes of a request. */

#include "agent/core/push/push_queue.h"
#include "lib/core/backoff.h"
#include "lib/core/table.h"

struct push_list {
	struct push_entry *first, *last; /* rising by seq */
	size_t nr, bytes;		 /* of memory, or of the disk */
};

/* A tenant of the backend. */
struct push_tenant {
	struct table_node node;
	char *name;
	struct backoff backoff;
	int64_t retry_at_ns;
	size_t batch_max; /* profiles that one request may have; less after a rate limit */
	uint64_t sent;
	bool busy;    /* a request is under way */
	size_t lanes; /* that are its */
};

struct push_lane {
	struct table_node node;
	char *ns;
	struct push_tenant *tenant;
	struct push_list memory, spool;
	uint32_t takes;
	size_t away; /* being sent */
	size_t at;   /* in queue.lane */
};

struct push_queue {
	struct push_queue_options options;
	struct push_queue_events events;
	void *ctx;
	struct table by_ns, by_tenant;
	struct push_lane **lane;
	size_t lane_nr, turn; /* turn: whose it is to begin a request */
	struct backoff backoff;
	int64_t retry_at_ns;
	uint64_t next_seq;
	size_t nr, memory_bytes, spool_bytes, spool_nr;
	size_t batch_bytes; /* as much as the backend takes */
	uint32_t requests;
};

/* The entry, which is in no list any more, is gone. */
void push_queue_end(struct push_queue *queue, struct push_entry *entry, enum push_gone why);
/* Its bytes in memory go. */
void push_queue_unload(struct push_queue *queue, struct push_entry *entry);
/* Keep to what memory and the spool may hold. */
void push_queue_enforce(struct push_queue *queue);

/* Found, or made. */
struct push_lane *push_lane_of(struct push_queue *queue, const char *ns);
/* Forget it when nothing is in it or away, and its tenant when nothing is left to remember of that. */
void push_lane_check(struct push_queue *queue, struct push_lane *lane, int64_t now_ns);
void push_lanes_free(struct push_queue *queue);

void push_list_put(struct push_list *list, struct push_entry *entry, size_t bytes);
void push_list_remove(struct push_list *list, struct push_entry *entry, size_t bytes);

/* Whose turn it is in the lane, or NULL. */
struct push_entry *push_lane_next(struct push_lane *lane);
/* Into its lane, and out of it. */
void push_lane_put(struct push_entry *entry);
void push_lane_remove(struct push_entry *entry);

/* The lane that takes most of memory, or of the spool; NULL when none takes any. */
struct push_lane *push_lane_largest(const struct push_queue *queue, bool spool);

#endif
