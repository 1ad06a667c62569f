/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STATUS_STATUS_QUEUE_PRIV_H
#define CONTROLLER_CORE_STATUS_STATUS_QUEUE_PRIV_H

/* Between status_queue.c (what is wanted, and what came of it) and status_queue_lanes.c (who is next). */

#include "controller/core/status/status_queue.h"

/* The objects of one namespace that are in line; in each lane it takes turns with other namespaces. */
struct status_turns {
	char *ns;
	size_t entries; /* objects of the namespace */
	struct status_list list[STATUS_LANE_NR];
	TAILQ_ENTRY(status_turns) place[STATUS_LANE_NR];
};

TAILQ_HEAD(turns_list, status_turns);

struct status_queue {
	void *entries;	  /* tsearch(3) */
	void *namespaces; /* tsearch(3), of struct status_turns */
	struct turns_list
		lane[STATUS_LANE_NR]; /* to be sent; namespaces that have something in the lane */
	struct status_list later;     /* to be sent when due */
	int64_t later_ns;	      /* not before that is one of `later` due */
	size_t sends;		      /* under way */
	void (*drop)(struct status_entry *entry);
};

/* The lines of a namespace, which are there while it has objects; each object counts for one. */
struct status_turns *status_turns_get(struct status_queue *queue, const char *ns);
void status_turns_put(struct status_queue *queue, struct status_turns *turns);

/* Out of whatever line it is in. */
void status_leave(struct status_queue *queue, struct status_entry *entry);
/* Into the line of its namespace; whoever is in it already keeps its place. */
void status_enter(struct status_queue *queue, struct status_entry *entry, enum status_lane lane);
/* Into the line of those that wait for their `due_ns`. */
void status_wait(struct status_queue *queue, struct status_entry *entry);
/* The next of the lane, taken out; its namespace goes to the end.  NULL = none. */
struct status_entry *status_take_turn(struct status_queue *queue, enum status_lane lane);

void status_lanes_init(struct status_queue *queue);
void status_lanes_release(struct status_queue *queue);

#endif
