/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/push/push_queue_priv.h"

#include <assert.h>
#include <string.h>

_Static_assert(sizeof(struct push_entry) <= PUSH_ENTRY_BYTES, "what the header promises");

const char *push_entry_ns(const struct push_entry *entry)
{
	return entry->lane->ns;
}

/* --- leaving --- */

void push_queue_unload(struct push_queue *queue, struct push_entry *entry)
{
	if (!entry->data)
		return;
	queue->memory_bytes -= entry->len;
	free(TAKE_PTR(entry->data));
}

/* An entry that is in no list any more. */
void push_queue_end(struct push_queue *queue, struct push_entry *entry, enum push_gone why)
{
	queue->spool_bytes -= entry->spool_bytes;
	queue->spool_nr -= entry->spool_bytes > 0;
	queue->nr--;
	queue->events.gone(queue->ctx, entry, why);
	push_queue_unload(queue, entry);
	free(entry);
}

static void drop_first(struct push_queue *queue, struct push_entry *entry, enum push_gone why)
{
	push_lane_remove(entry);
	push_queue_end(queue, entry, why);
}

/* --- bounds --- */

static void make_spool_room(struct push_queue *queue)
{
	struct push_lane *lane;

	while (queue->spool_bytes > queue->options.spool_max &&
	       (lane = push_lane_largest(queue, true)))
		drop_first(queue, lane->spool.first, PUSH_DROPPED_SPOOL_FULL);
}

/* From memory to the spool; dropped when that cannot be. */
static void spill(struct push_queue *queue, struct push_entry *entry)
{
	int64_t bytes = -1;

	if (!queue->events.spill) {
		drop_first(queue, entry, PUSH_DROPPED_QUEUE_FULL);
		return;
	}
	bytes = queue->events.spill(queue->ctx, entry);
	if (bytes < 0) {
		drop_first(queue, entry, PUSH_DROPPED_SPOOL_FAILED);
		return;
	}
	push_lane_remove(entry);
	push_queue_unload(queue, entry);
	entry->spool_bytes = MAX((size_t)bytes, 1);
	queue->spool_bytes += entry->spool_bytes;
	queue->spool_nr++;
	push_lane_put(entry);
	make_spool_room(queue);
}

void push_queue_enforce(struct push_queue *queue)
{
	struct push_lane *lane;

	while (queue->memory_bytes > queue->options.memory_max &&
	       (lane = push_lane_largest(queue, false)))
		spill(queue, lane->memory.first);
}

/* --- coming --- */

static struct push_entry *new_entry(struct push_queue *queue, const char *ns, int64_t start_ns,
				    uint64_t seq)
{
	struct push_entry *entry = xcalloc(1, sizeof(*entry));

	entry->lane = push_lane_of(queue, ns);
	entry->start_ns = start_ns;
	entry->seq = seq;
	queue->nr++;
	return entry;
}

void push_queue_add(struct push_queue *queue, const char *ns, int64_t start_ns, uint8_t *data,
		    size_t len)
{
	struct push_entry *entry = new_entry(queue, ns, start_ns, queue->next_seq++);

	entry->data = data;
	entry->len = len;
	queue->memory_bytes += len;
	push_lane_put(entry);
	push_queue_enforce(queue);
}

void push_queue_add_spooled(struct push_queue *queue, const char *ns, int64_t start_ns,
			    uint64_t seq, size_t spool_bytes)
{
	struct push_entry *entry = new_entry(queue, ns, start_ns, seq);

	queue->next_seq = MAX(queue->next_seq, seq + 1);
	entry->spool_bytes = MAX(spool_bytes, 1);
	queue->spool_bytes += entry->spool_bytes;
	queue->spool_nr++;
	push_lane_put(entry);
	make_spool_room(queue);
}

/* --- going --- */

static bool ready(const struct push_lane *lane, int64_t now_ns)
{
	return (lane->memory.nr || lane->spool.nr) && !lane->tenant->busy &&
	       lane->tenant->retry_at_ns <= now_ns;
}

/* The next lane whose turn it is to begin a request; lane_nr = none. */
static size_t find_lane(const struct push_queue *queue, int64_t now_ns)
{
	for (size_t i = 0; i < queue->lane_nr; i++) {
		size_t at = (queue->turn + i) % queue->lane_nr;

		if (ready(queue->lane[at], now_ns))
			return at;
	}
	return queue->lane_nr;
}

static size_t size_of(const struct push_entry *entry)
{
	return entry->data ? entry->len : entry->spool_bytes;
}

/* Take the lane's next into the batch, if it fits. */
static bool take_one(struct push_queue *queue, struct push_lane *lane, struct push_batch *batch)
{
	struct push_entry *entry = push_lane_next(lane);

	if (!entry ||
	    (batch->nr && (entry->alone || batch->bytes + size_of(entry) > queue->batch_bytes)))
		return false;
	push_lane_remove(entry);
	lane->away++;
	batch->entry[batch->nr++] = entry;
	batch->bytes += size_of(entry);
	return true;
}

static bool full(const struct push_batch *batch)
{
	return batch->nr == batch->of->batch_max || (batch->nr == 1 && batch->entry[0]->alone);
}

static void expire_lane(struct push_queue *queue, struct push_list *list, int64_t wall_ns)
{
	struct push_entry *entry = list->first, *next;

	for (; entry && wall_ns - entry->start_ns > queue->options.max_age_ns; entry = next) {
		next = entry->next;
		drop_first(queue, entry, PUSH_DROPPED_TOO_OLD);
	}
}

static void expire_both(struct push_queue *queue, struct push_lane *lane, int64_t wall_ns)
{
	expire_lane(queue, &lane->memory, wall_ns);
	expire_lane(queue, &lane->spool, wall_ns);
}

void push_queue_expire(struct push_queue *queue, int64_t now_ns, int64_t wall_ns)
{
	for (size_t i = queue->lane_nr; i-- > 0;) {
		expire_both(queue, queue->lane[i], wall_ns);
		push_lane_check(queue, queue->lane[i], now_ns);
	}
}

static uint32_t requests_max(const struct push_queue *queue)
{
	return queue->backoff.failures ? 1 : PUSH_REQUESTS;
}

/* From each lane of the tenant in turn, beginning with lane `at`, until nothing more fits. */
static void fill(struct push_queue *queue, size_t at, int64_t wall_ns, struct push_batch *batch)
{
	bool more = true;

	batch->of = queue->lane[at]->tenant;
	batch->tenant = batch->of->name;
	while (more && !full(batch)) {
		more = false;
		for (size_t i = 0; i < queue->lane_nr && !full(batch); i++) {
			struct push_lane *lane = queue->lane[(at + i) % queue->lane_nr];

			if (lane->tenant != batch->of)
				continue;
			expire_both(queue, lane, wall_ns);
			more |= take_one(queue, lane, batch);
		}
	}
}

bool push_queue_take(struct push_queue *queue, int64_t now_ns, int64_t wall_ns,
		     struct push_batch *ret_batch)
{
	struct push_batch batch = { 0 };

	if (queue->retry_at_ns > now_ns || queue->requests >= requests_max(queue))
		return false;
	while (batch.nr == 0) {
		size_t at = find_lane(queue, now_ns);

		if (at == queue->lane_nr)
			return false;
		queue->turn = at + 1;
		fill(queue, at, wall_ns, &batch);
	}
	batch.of->busy = true;
	queue->requests++;
	*ret_batch = batch;
	return true;
}

void push_queue_loaded(struct push_queue *queue, struct push_entry *entry, uint8_t *data,
		       size_t len)
{
	entry->data = data;
	entry->len = len;
	queue->memory_bytes += len;
}

void push_queue_lost(struct push_queue *queue, struct push_batch *batch, size_t at)
{
	struct push_entry *entry = batch->entry[at];

	entry->lane->away--;
	batch->bytes -= MIN(batch->bytes, size_of(entry));
	memmove(&batch->entry[at], &batch->entry[at + 1],
		(batch->nr - at - 1) * sizeof(batch->entry[0]));
	batch->nr--;
	push_queue_end(queue, entry, PUSH_DROPPED_SPOOL_FAILED);
}

/* --- the rest --- */

/* When a request of the lane may begin; INT64_MAX = when one of its tenant is over. */
static int64_t lane_due(const struct push_lane *lane)
{
	bool has = lane->memory.nr || lane->spool.nr;

	return has && !lane->tenant->busy ? lane->tenant->retry_at_ns : INT64_MAX;
}

int64_t push_queue_due(const struct push_queue *queue, int64_t now_ns)
{
	int64_t due_ns = INT64_MAX;

	if (queue->requests >= requests_max(queue))
		return INT64_MAX;
	for (size_t i = 0; i < queue->lane_nr && due_ns > now_ns; i++)
		due_ns = MIN(due_ns, lane_due(queue->lane[i]));
	return due_ns == INT64_MAX ? due_ns : MAX(MAX(due_ns, queue->retry_at_ns), now_ns);
}

static void stop_lane(struct push_queue *queue, struct push_lane *lane)
{
	struct push_entry *entry = lane->memory.first, *next;

	for (; entry; entry = next) {
		next = entry->next;
		if (queue->events.spill)
			spill(queue, entry);
		else
			drop_first(queue, entry, PUSH_DROPPED_STOPPED);
	}
}

void push_queue_stop(struct push_queue *queue)
{
	assert(queue->requests == 0);
	for (size_t i = 0; i < queue->lane_nr; i++)
		stop_lane(queue, queue->lane[i]);
}

void push_queue_stats(const struct push_queue *queue, struct push_queue_stats *ret_stats)
{
	*ret_stats = (struct push_queue_stats){
		.nr = queue->nr,
		.memory_bytes = queue->memory_bytes,
		.spool_bytes = queue->spool_bytes,
		.spool_nr = queue->spool_nr,
		.requests = queue->requests,
		.waits_until_ns = queue->retry_at_ns,
	};
}

struct push_queue *push_queue_new(const struct push_queue_options *options,
				  const struct push_queue_events *events, void *ctx)
{
	struct push_queue *queue = xcalloc(1, sizeof(*queue));

	queue->options = *options;
	queue->events = *events;
	queue->ctx = ctx;
	queue->backoff.base_ns = PUSH_WAIT_FIRST_NS;
	queue->backoff.cap_ns = PUSH_WAIT_LAST_NS;
	queue->batch_bytes = PUSH_BATCH_BYTES;
	return queue;
}

static void free_list(struct push_entry *entry)
{
	while (entry) {
		struct push_entry *next = entry->next;

		free(entry->data);
		free(entry);
		entry = next;
	}
}

void push_queue_free(struct push_queue *queue)
{
	if (!queue)
		return;
	for (size_t i = 0; i < queue->lane_nr; i++) {
		free_list(queue->lane[i]->memory.first);
		free_list(queue->lane[i]->spool.first);
	}
	push_lanes_free(queue);
	free(queue);
}
