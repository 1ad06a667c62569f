/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_AGENT_PUSH_WORLD_H
#define TESTS_UNIT_AGENT_PUSH_WORLD_H

/* A push_queue with a backend, a spool and a clock that the test plays. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "agent/core/push/push_queue.h"

#define PROFILES_MAX 40000
#define AGE_NS (1000 * NSEC_PER_SEC)

/* A backend, a spool and a clock; profile I carries its number in its first four bytes. */
static struct world {
	struct push_queue *queue;
	struct push_batch batch[PUSH_REQUESTS];
	uint32_t number[PUSH_REQUESTS][PUSH_BATCH]; /* what was sent in it */
	bool away[PUSH_REQUESTS];
	int64_t now_ns;
	uint32_t profile_nr;
	uint8_t gone[PROFILES_MAX]; /* enum push_gone + 1 */
	uint32_t len[PROFILES_MAX], of_seq[PROFILES_MAX];
	size_t gone_nr[PUSH_GONE_NR];
	bool spool_broken;
	uint64_t random;
} w;

static uint64_t rnd(void)
{
	w.random = w.random * 6364136223846793005ULL + 1442695040888963407ULL;
	return w.random ^ w.random >> 29;
}

static bool chance(uint32_t percent)
{
	return (rnd() >> 20) % 100 < percent;
}

static uint32_t number_of(const struct push_entry *entry)
{
	return w.of_seq[entry->seq];
}

static int64_t spill(void *ctx, const struct push_entry *entry)
{
	(void)ctx;
	assert_non_null(entry->data);
	assert_int_equal(entry->spool_bytes, 0);
	return w.spool_broken ? -28 : (int64_t)(entry->len + 4095) / 4096 * 4096;
}

static void gone(void *ctx, const struct push_entry *entry, enum push_gone why)
{
	uint32_t number = number_of(entry);

	(void)ctx;
	assert_int_equal(w.gone[number], 0);
	w.gone[number] = (uint8_t)(why + 1);
	w.gone_nr[why]++;
}

static void begin(size_t memory_max, size_t spool_max, uint64_t seed)
{
	static const char *const pair[] = { "ns-4=shared", "ns-5=shared" };
	const struct push_queue_options options = {
		.memory_max = memory_max,
		.spool_max = spool_max,
		.max_age_ns = AGE_NS,
		.tenants = { .template = "{namespace}", .pair = pair, .pair_nr = ARRAY_SIZE(pair) },
	};
	const struct push_queue_events events = { .spill = spool_max ? spill : NULL, .gone = gone };

	memset(&w, 0, sizeof(w));
	w.random = seed;
	w.now_ns = NSEC_PER_SEC;
	w.queue = push_queue_new(&options, &events, &w);
}

static uint32_t add(const char *ns, uint32_t len)
{
	uint32_t number = w.profile_nr++;
	uint8_t *data = xcalloc(len, 1);

	assert_true(number < PROFILES_MAX);
	w.len[number] = len;
	w.of_seq[number] = number; /* the queue numbers them likewise */
	memcpy(data, &number, sizeof(number));
	push_queue_add(w.queue, ns, w.now_ns, data, len);
	return number;
}

/* Read what is only in the spool. */
static void load(struct push_batch *batch, uint32_t lost_percent)
{
	for (size_t i = 0; i < batch->nr;) {
		struct push_entry *entry = batch->entry[i];
		uint32_t number = number_of(entry);

		if (!entry->data && chance(lost_percent)) {
			push_queue_lost(w.queue, batch, i);
			continue;
		}
		if (!entry->data) {
			uint8_t *data = xcalloc(w.len[number], 1);

			memcpy(data, &number, sizeof(number));
			push_queue_loaded(w.queue, entry, data, w.len[number]);
		}
		i++;
	}
}

static bool take(size_t slot, uint32_t lost_percent)
{
	struct push_batch *batch = &w.batch[slot];
	const char *ns;

	if (!push_queue_take(w.queue, w.now_ns, w.now_ns, batch))
		return false;
	assert_in_range(batch->nr, 1, PUSH_BATCH);
	ns = push_entry_ns(batch->entry[0]);
	for (size_t i = 0; i < batch->nr; i++) {
		uint32_t number = number_of(batch->entry[i]);

		assert_int_equal(w.gone[number], 0);
		assert_true(w.now_ns - batch->entry[i]->start_ns <= AGE_NS);
		assert_true(!batch->entry[i]->alone || batch->nr == 1);
		if (strcmp(batch->tenant, "shared") != 0)
			assert_string_equal(push_entry_ns(batch->entry[i]), ns);
		w.number[slot][i] = number;
	}
	for (size_t i = 0; i < PUSH_REQUESTS; i++)
		assert_false(i != slot && w.away[i] &&
			     strcmp(w.batch[i].tenant, batch->tenant) == 0);
	load(batch, lost_percent);
	w.away[slot] = true;
	return true;
}

static void settle(size_t slot, enum push_outcome outcome)
{
	struct push_verdict verdict = { .outcome = outcome, .limited = chance(50) };

	verdict.retry_after_ns = chance(20) ? 3 * NSEC_PER_SEC : 0;
	if (outcome == PUSH_PARTIAL)
		verdict.failed = (uint32_t)rnd() & (uint32_t)((1ULL << w.batch[slot].nr) - 1);
	push_queue_settle(w.queue, &w.batch[slot], &verdict, w.now_ns, rnd());
	w.away[slot] = false;
}

static void settle_all(enum push_outcome outcome)
{
	for (size_t i = 0; i < PUSH_REQUESTS; i++)
		if (w.away[i])
			settle(i, outcome);
}

/* All that is left is taken by the backend. */
static void drain(void)
{
	int64_t due_ns;

	settle_all(PUSH_OK);
	while ((due_ns = push_queue_due(w.queue, w.now_ns)) != INT64_MAX) {
		w.now_ns = MAX(w.now_ns, due_ns);
		if (take(0, 0))
			settle(0, PUSH_OK);
	}
}

static size_t live(void)
{
	struct push_queue_stats stats;

	push_queue_stats(w.queue, &stats);
	return stats.nr;
}

/* What those under way take of memory, and of the spool. */
static size_t bytes_away(bool spool)
{
	size_t bytes = 0;

	for (size_t i = 0; i < PUSH_REQUESTS; i++)
		for (size_t j = 0; w.away[i] && j < w.batch[i].nr; j++)
			bytes +=
				spool ? w.batch[i].entry[j]->spool_bytes : w.batch[i].entry[j]->len;
	return bytes;
}

#endif
