/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/push/push_queue_priv.h"

#include <string.h>

#include "lib/core/hash.h"

#define STUBBORN 3 /* tries after which it no longer holds up those behind it */

/* --- lists --- */

void push_list_put(struct push_list *list, struct push_entry *entry, size_t bytes)
{
	struct push_entry *after = list->last;

	/* What comes back from a request is older than most: look from the front. */
	if (after && after->seq > entry->seq) {
		after = NULL;
		for (struct push_entry *at = list->first; at && at->seq < entry->seq; at = at->next)
			after = at;
	}
	entry->prev = after;
	entry->next = after ? after->next : list->first;
	*(entry->prev ? &entry->prev->next : &list->first) = entry;
	*(entry->next ? &entry->next->prev : &list->last) = entry;
	list->nr++;
	list->bytes += bytes;
}

void push_list_remove(struct push_list *list, struct push_entry *entry, size_t bytes)
{
	*(entry->prev ? &entry->prev->next : &list->first) = entry->next;
	*(entry->next ? &entry->next->prev : &list->last) = entry->prev;
	entry->next = entry->prev = NULL;
	list->nr--;
	list->bytes -= bytes;
}

void push_lane_put(struct push_entry *entry)
{
	if (entry->data)
		push_list_put(&entry->lane->memory, entry, entry->len);
	else
		push_list_put(&entry->lane->spool, entry, entry->spool_bytes);
}

void push_lane_remove(struct push_entry *entry)
{
	if (entry->data)
		push_list_remove(&entry->lane->memory, entry, entry->len);
	else
		push_list_remove(&entry->lane->spool, entry, entry->spool_bytes);
}

static struct push_entry *older(struct push_entry *a, struct push_entry *b)
{
	if (!a || !b)
		return a ? a : b;
	return a->seq < b->seq ? a : b;
}

/* One that fails again and again may be what is wrong: every other time the one behind it goes first. */
struct push_entry *push_lane_next(struct push_lane *lane)
{
	struct push_entry *first = older(lane->memory.first, lane->spool.first), *second;

	if (!first || first->tries < STUBBORN || lane->takes++ % 2 == 0)
		return first;
	second = older(first == lane->memory.first ? first->next : lane->memory.first,
		       first == lane->spool.first ? first->next : lane->spool.first);
	return second ? second : first;
}

/* --- lanes and tenants --- */

static struct push_tenant *tenant_of(struct push_queue *queue, const char *ns)
{
	char name[PUSH_TENANT_BYTES + 1];
	struct push_tenant *tenant;
	uint64_t hash;

	push_tenant_of(&queue->options.tenants, ns, name);
	hash = hash_bytes(name, strlen(name));
	for (struct table_node *node = table_first(&queue->by_tenant, hash); node;
	     node = table_next(node)) {
		tenant = TABLE_ENTRY(node, struct push_tenant, node);
		if (strcmp(tenant->name, name) == 0)
			return tenant;
	}
	tenant = xcalloc(1, sizeof(*tenant));
	tenant->name = xstrdup(name);
	tenant->batch_max = PUSH_BATCH;
	tenant->backoff.base_ns = PUSH_WAIT_FIRST_NS;
	tenant->backoff.cap_ns = PUSH_WAIT_LAST_NS;
	table_add(&queue->by_tenant, &tenant->node, hash);
	return tenant;
}

struct push_lane *push_lane_of(struct push_queue *queue, const char *ns)
{
	uint64_t hash = hash_bytes(ns, strlen(ns));
	struct push_lane *lane;

	for (struct table_node *node = table_first(&queue->by_ns, hash); node;
	     node = table_next(node)) {
		lane = TABLE_ENTRY(node, struct push_lane, node);
		if (strcmp(lane->ns, ns) == 0)
			return lane;
	}
	lane = xcalloc(1, sizeof(*lane));
	lane->ns = xstrdup(ns);
	lane->tenant = tenant_of(queue, ns);
	lane->tenant->lanes++;
	lane->at = queue->lane_nr;
	GROW(queue->lane, queue->lane_nr);
	queue->lane[queue->lane_nr++] = lane;
	table_add(&queue->by_ns, &lane->node, hash);
	return lane;
}

static void tenant_free(struct push_queue *queue, struct push_tenant *tenant)
{
	table_remove(&queue->by_tenant, &tenant->node);
	free(tenant->name);
	free(tenant);
}

static void lane_free(struct push_queue *queue, struct push_lane *lane)
{
	struct push_lane *last = queue->lane[--queue->lane_nr];

	queue->lane[lane->at] = last;
	last->at = lane->at;
	table_remove(&queue->by_ns, &lane->node);
	lane->tenant->lanes--;
	free(lane->ns);
	free(lane);
}

void push_lane_check(struct push_queue *queue, struct push_lane *lane, int64_t now_ns)
{
	struct push_tenant *tenant = lane->tenant;

	if (lane->memory.nr || lane->spool.nr || lane->away ||
	    (tenant->lanes == 1 && (tenant->busy || tenant->retry_at_ns > now_ns)))
		return;
	lane_free(queue, lane);
	if (tenant->lanes == 0)
		tenant_free(queue, tenant);
}

void push_lanes_free(struct push_queue *queue)
{
	while (queue->lane_nr) {
		struct push_tenant *tenant = queue->lane[0]->tenant;

		lane_free(queue, queue->lane[0]);
		if (tenant->lanes == 0)
			tenant_free(queue, tenant);
	}
	free(queue->lane);
	table_release(&queue->by_ns);
	table_release(&queue->by_tenant);
}

struct push_lane *push_lane_largest(const struct push_queue *queue, bool spool)
{
	struct push_lane *largest = NULL;
	size_t most = 0;

	for (size_t i = 0; i < queue->lane_nr; i++) {
		const struct push_list *list =
			spool ? &queue->lane[i]->spool : &queue->lane[i]->memory;

		if (list->bytes > most) {
			most = list->bytes;
			largest = queue->lane[i];
		}
	}
	return largest;
}
