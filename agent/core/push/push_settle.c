/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/push/push_queue_priv.h"

#define BATCH_BYTES_MIN (16UL * 1024)
#define ALONE_TRIES 2	 /* then it goes by itself */
#define DOUBTFUL_TRIES 3 /* then it is dropped */
#define FAILING_TRIES 10 /* then it is, if others of its tenant went through meanwhile */
#define WAIT_LEAST_NS (NSEC_PER_SEC / 4)

static void finish(struct push_queue *queue, struct push_entry *entry, enum push_gone why)
{
	entry->lane->away--;
	push_queue_end(queue, entry, why);
}

static void give_back(struct push_queue *queue, struct push_entry *entry)
{
	entry->lane->away--;
	if (entry->spool_bytes)
		push_queue_unload(queue, entry);
	push_lane_put(entry);
}

/* It failed by the backend's fault, or its own: nobody knows. */
static void count_try(struct push_queue *queue, struct push_entry *entry, bool doubtful)
{
	if (entry->tries++ == 0)
		entry->sent_then = entry->lane->tenant->sent;
	if (doubtful && entry->alone && entry->tries >= DOUBTFUL_TRIES) {
		finish(queue, entry, PUSH_DROPPED_REJECTED);
		return;
	}
	if (entry->alone && entry->tries >= FAILING_TRIES &&
	    entry->lane->tenant->sent != entry->sent_then) {
		finish(queue, entry, PUSH_DROPPED_FAILING);
		return;
	}
	entry->alone |= doubtful || entry->tries >= ALONE_TRIES;
	give_back(queue, entry);
}

static enum push_gone why_dropped(enum push_outcome outcome)
{
	return outcome == PUSH_TOO_OLD	   ? PUSH_DROPPED_TOO_OLD
	       : outcome == PUSH_TOO_LARGE ? PUSH_DROPPED_TOO_LARGE
					   : PUSH_DROPPED_REJECTED;
}

static void settle_entry(struct push_queue *queue, struct push_entry *entry,
			 const struct push_verdict *verdict, bool failed)
{
	switch (verdict->outcome) {
	case PUSH_OK:
	case PUSH_PARTIAL:
		if (!failed) {
			entry->lane->tenant->sent++;
			finish(queue, entry, PUSH_SENT);
			return;
		}
		entry->alone = true;
		break;
	case PUSH_REJECTED:
	case PUSH_TOO_OLD:
	case PUSH_TOO_LARGE:
		if (!failed) { /* it was alone */
			finish(queue, entry, why_dropped(verdict->outcome));
			return;
		}
		entry->alone = true;
		break;
	case PUSH_DOUBTFUL:
	case PUSH_FAILED:
	case PUSH_FAILED_LINK:
		count_try(queue, entry, verdict->outcome == PUSH_DOUBTFUL);
		return;
	case PUSH_RATE_LIMITED:
	case PUSH_REFUSED:
	case PUSH_UNREACHABLE:
		break;
	}
	give_back(queue, entry);
}

/* A tenth more, so that not all nodes come back at once. */
static int64_t spread(int64_t wait_ns, uint64_t rnd)
{
	return wait_ns + (int64_t)(((unsigned __int128)rnd * (uint64_t)(wait_ns / 10)) >> 64);
}

static int64_t next_wait(struct backoff *backoff, int64_t now_ns, uint64_t rnd)
{
	int64_t wait_ns = backoff_next(backoff, now_ns, rnd);

	return MAX(wait_ns, WAIT_LEAST_NS);
}

static void set_waits(struct push_queue *queue, struct push_tenant *tenant,
		      const struct push_verdict *verdict, int64_t now_ns, uint64_t rnd)
{
	int64_t told_ns = spread(verdict->retry_after_ns, rnd);
	enum push_outcome outcome = verdict->outcome;
	int64_t wait_ns = 0;

	if (outcome == PUSH_UNREACHABLE || outcome == PUSH_FAILED_LINK) {
		queue->retry_at_ns = now_ns + next_wait(&queue->backoff, now_ns, rnd);
	} else {
		backoff_reset(&queue->backoff);
		queue->retry_at_ns = 0;
	}
	if (outcome == PUSH_OK)
		backoff_reset(&tenant->backoff);
	if (outcome == PUSH_REFUSED)
		tenant->retry_at_ns = now_ns + MAX(spread(PUSH_REFUSED_WAIT_NS, rnd), told_ns);
	if (outcome == PUSH_RATE_LIMITED || outcome == PUSH_DOUBTFUL || outcome == PUSH_FAILED ||
	    outcome == PUSH_FAILED_LINK || (outcome == PUSH_PARTIAL && verdict->limited))
		wait_ns = next_wait(&tenant->backoff, now_ns, rnd);
	if (wait_ns)
		tenant->retry_at_ns = now_ns + MAX(wait_ns, told_ns);
}

/* A rate limit may be less than one request of many: of those that do not fit Pyroscope takes none, however long one
 * waits. */
static void set_batch_max(struct push_tenant *tenant, size_t nr, enum push_outcome outcome)
{
	if (outcome == PUSH_RATE_LIMITED)
		tenant->batch_max = MAX(nr / 2, 1);
	else if (outcome == PUSH_OK && nr == tenant->batch_max && nr < PUSH_BATCH)
		tenant->batch_max++;
}

void push_queue_settle(struct push_queue *queue, struct push_batch *batch,
		       const struct push_verdict *verdict, int64_t now_ns, uint64_t rnd)
{
	bool split =
		verdict->outcome != PUSH_OK && verdict->outcome != PUSH_PARTIAL && batch->nr > 1;

	queue->requests--;
	batch->of->busy = false;
	if (batch->nr == 0)
		return;
	set_waits(queue, batch->of, verdict, now_ns, rnd);
	set_batch_max(batch->of, batch->nr, verdict->outcome);
	if (verdict->outcome == PUSH_TOO_LARGE && split)
		queue->batch_bytes = MAX(batch->bytes / 2, BATCH_BYTES_MIN);
	for (size_t i = 0; i < batch->nr; i++)
		settle_entry(queue, batch->entry[i], verdict, split || verdict->failed >> i & 1);
	batch->nr = 0;
	push_queue_enforce(queue);
}
