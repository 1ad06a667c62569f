/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/status_queue_priv.h"

#include <search.h>
#include <string.h>

/* --- namespaces --- */

static int by_ns(const void *a, const void *b)
{
	const struct status_turns *x = a, *y = b;

	return strcmp(x->ns, y->ns);
}

struct status_turns *status_turns_get(struct status_queue *queue, const char *ns)
{
	struct status_turns *const *found =
		tfind(&(struct status_turns){ .ns = (char *)ns }, &queue->namespaces, by_ns);
	struct status_turns *turns;

	if (found)
		return *found;
	turns = xcalloc(1, sizeof(*turns));
	turns->ns = xstrdup(ns);
	for (int i = 0; i < STATUS_LANE_NR; i++)
		TAILQ_INIT(&turns->list[i]);
	if (!tsearch(turns, &queue->namespaces, by_ns))
		abort();
	return turns;
}

static void turns_free(void *ptr)
{
	struct status_turns *turns = ptr;

	free(turns->ns);
	free(turns);
}

void status_turns_put(struct status_queue *queue, struct status_turns *turns)
{
	if (--turns->entries)
		return;
	tdelete(turns, &queue->namespaces, by_ns);
	turns_free(turns);
}

/* --- lines --- */

void status_leave(struct status_queue *queue, struct status_entry *entry)
{
	struct status_turns *turns = entry->turns;
	enum status_lane lane = entry->lane;

	if (entry->in)
		TAILQ_REMOVE(entry->in, entry, place);
	if (entry->in == &turns->list[lane] && TAILQ_EMPTY(entry->in))
		TAILQ_REMOVE(&queue->lane[lane], turns, place[lane]);
	entry->in = NULL;
}

void status_wait(struct status_queue *queue, struct status_entry *entry)
{
	if (entry->in != &queue->later) {
		status_leave(queue, entry);
		TAILQ_INSERT_TAIL(&queue->later, entry, place);
		entry->in = &queue->later;
	}
	queue->later_ns = MIN(queue->later_ns, entry->due_ns);
}

void status_enter(struct status_queue *queue, struct status_entry *entry, enum status_lane lane)
{
	struct status_turns *turns = entry->turns;
	struct status_list *list = &turns->list[lane];

	if (entry->in == list)
		return;
	status_leave(queue, entry);
	if (TAILQ_EMPTY(list))
		TAILQ_INSERT_TAIL(&queue->lane[lane], turns, place[lane]);
	TAILQ_INSERT_TAIL(list, entry, place);
	entry->lane = lane;
	entry->in = list;
}

struct status_entry *status_take_turn(struct status_queue *queue, enum status_lane lane)
{
	struct status_turns *turns = TAILQ_FIRST(&queue->lane[lane]);
	struct status_entry *entry;

	if (!turns)
		return NULL;
	entry = TAILQ_FIRST(&turns->list[lane]);
	TAILQ_REMOVE(&queue->lane[lane], turns, place[lane]);
	TAILQ_INSERT_TAIL(&queue->lane[lane], turns, place[lane]);
	status_leave(queue, entry);
	return entry;
}

bool status_queue_busy(const struct status_queue *queue)
{
	for (int i = 0; i < STATUS_LANE_NR; i++)
		if (!TAILQ_EMPTY(&queue->lane[i]))
			return true;
	return queue->sends > 0;
}

/* --- life --- */

void status_lanes_init(struct status_queue *queue)
{
	for (int i = 0; i < STATUS_LANE_NR; i++)
		TAILQ_INIT(&queue->lane[i]);
	TAILQ_INIT(&queue->later);
	queue->later_ns = INT64_MAX;
}

void status_lanes_release(struct status_queue *queue)
{
	tdestroy(queue->namespaces, turns_free);
}
