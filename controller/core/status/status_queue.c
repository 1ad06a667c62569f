/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/status_queue.h"

#include <search.h>
#include <string.h>

#include "controller/core/status/status_read.h"

#define RETRY_GRID_NS (100 * NSEC_PER_MSEC) /* thousands that fail are looked at together */

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

/* --- entries --- */

static int by_name(const void *a, const void *b)
{
	const struct status_entry *x = a, *y = b;
	int r = (x->kind > y->kind) - (x->kind < y->kind);

	if (r == 0)
		r = strcmp(x->ns, y->ns);
	return r ? r : strcmp(x->name, y->name);
}

static struct status_entry *lookup(const struct status_queue *queue, enum object_kind kind,
				   const char *ns, const char *name)
{
	const struct status_entry wanted = { .kind = kind, .ns = (char *)ns, .name = (char *)name };
	struct status_entry *const *found = tfind(&wanted, &queue->entries, by_name);

	return found ? *found : NULL;
}

/* --- namespaces --- */

static int by_ns(const void *a, const void *b)
{
	const struct status_turns *x = a, *y = b;

	return strcmp(x->ns, y->ns);
}

static struct status_turns *turns_of(struct status_queue *queue, const char *ns)
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

static void turns_put(struct status_queue *queue, struct status_turns *turns)
{
	if (--turns->entries)
		return;
	tdelete(turns, &queue->namespaces, by_ns);
	turns_free(turns);
}

/* --- lines --- */

static void leave(struct status_queue *queue, struct status_entry *entry)
{
	struct status_turns *turns = entry->turns;
	enum status_lane lane = entry->lane;

	if (entry->in)
		TAILQ_REMOVE(entry->in, entry, place);
	if (entry->in == &turns->list[lane] && TAILQ_EMPTY(entry->in))
		TAILQ_REMOVE(&queue->lane[lane], turns, place[lane]);
	entry->in = NULL;
}

static void wait_until_due(struct status_queue *queue, struct status_entry *entry)
{
	if (entry->in != &queue->later) {
		leave(queue, entry);
		TAILQ_INSERT_TAIL(&queue->later, entry, place);
		entry->in = &queue->later;
	}
	queue->later_ns = MIN(queue->later_ns, entry->due_ns);
}

/* Whoever is in the lane already keeps its place. */
static void enter(struct status_queue *queue, struct status_entry *entry, enum status_lane lane)
{
	struct status_turns *turns = entry->turns;
	struct status_list *list = &turns->list[lane];

	if (entry->in == list)
		return;
	leave(queue, entry);
	if (TAILQ_EMPTY(list))
		TAILQ_INSERT_TAIL(&queue->lane[lane], turns, place[lane]);
	TAILQ_INSERT_TAIL(list, entry, place);
	entry->lane = lane;
	entry->in = list;
}

/* The next of the lane; its namespace goes to the end.  NULL = none. */
static struct status_entry *take_turn(struct status_queue *queue, enum status_lane lane)
{
	struct status_turns *turns = TAILQ_FIRST(&queue->lane[lane]);
	struct status_entry *entry;

	if (!turns)
		return NULL;
	entry = TAILQ_FIRST(&turns->list[lane]);
	TAILQ_REMOVE(&queue->lane[lane], turns, place[lane]);
	TAILQ_INSERT_TAIL(&queue->lane[lane], turns, place[lane]);
	leave(queue, entry);
	return entry;
}

static void entry_free(void *ptr)
{
	struct status_entry *entry = ptr;

	json_decref(entry->stored);
	json_decref(entry->wanted);
	json_decref(entry->sent);
	free(entry->ns);
	free(entry->name);
	free(entry->uid);
	free(entry);
}

static void forget(struct status_queue *queue, struct status_entry *entry)
{
	tdelete(entry, &queue->entries, by_name);
	leave(queue, entry);
	turns_put(queue, entry->turns);
	if (entry->sent) {
		queue->sends--;
		queue->drop(entry);
	}
	entry_free(entry);
}

/* The entry of this very object; one of an earlier object of its name goes. */
static struct status_entry *find(struct status_queue *queue, const struct object *object)
{
	struct status_entry *entry = lookup(queue, object->kind, object->ns, object->name);

	if (entry && strcmp(entry->uid, object->uid) != 0) {
		forget(queue, entry);
		return NULL;
	}
	return entry;
}

static struct status_entry *find_or_add(struct status_queue *queue, const struct object *object)
{
	struct status_entry *entry = find(queue, object);

	if (entry)
		return entry;
	entry = xcalloc(1, sizeof(*entry));
	entry->kind = object->kind;
	entry->ns = xstrdup(object->ns);
	entry->name = xstrdup(object->name);
	entry->uid = xstrdup(object->uid);
	entry->backoff.base_ns = STATUS_RETRY_FIRST_NS;
	entry->turns = turns_of(queue, object->ns);
	entry->turns->entries++;
	if (!tsearch(entry, &queue->entries, by_name))
		abort();
	return entry;
}

/* --- what is wanted --- */

/* Into the list where it belongs. */
static void line_up(struct status_queue *queue, struct status_entry *entry)
{
	if (!entry->wanted || entry->sent)
		leave(queue, entry);
	else if (entry->due_ns)
		wait_until_due(queue, entry);
	else if (entry->urgent)
		enter(queue, entry, STATUS_URGENT);
	else
		enter(queue, entry,
		      status_flips(entry->stored, entry->wanted) ? STATUS_FLIP : STATUS_COUNT);
}

const json_t *status_queue_stored(struct status_queue *queue, const struct object *object)
{
	const struct status_entry *entry = find(queue, object);

	return entry ? entry->stored : NULL;
}

void status_queue_learn(struct status_queue *queue, const struct object *object,
			const json_t *status)
{
	if (find(queue, object) || !json_is_object(status))
		return;
	find_or_add(queue, object)->stored = json_deep_copy(status);
}

bool status_queue_want(struct status_queue *queue, const struct object *object, json_t *status,
		       bool urgent)
{
	struct status_entry *entry = find_or_add(queue, object);
	bool there = entry->sent ? status_equal(entry->sent, status)
				 : !entry->unsure && status_equal(entry->stored, status);

	json_decref(entry->wanted);
	entry->wanted = there ? NULL : json_incref(status);
	entry->urgent = urgent;
	line_up(queue, entry);
	return there && !entry->sent;
}

void status_queue_forget(struct status_queue *queue, enum object_kind kind, const char *ns,
			 const char *name)
{
	struct status_entry *entry = lookup(queue, kind, ns, name);

	if (entry)
		forget(queue, entry);
}

/* --- what is sent --- */

static void wake_due(struct status_queue *queue, int64_t now_ns)
{
	struct status_entry *entry = TAILQ_FIRST(&queue->later);

	if (now_ns < queue->later_ns)
		return;
	queue->later_ns = INT64_MAX;
	while (entry) {
		struct status_entry *next = TAILQ_NEXT(entry, place);

		if (entry->due_ns <= now_ns) {
			entry->due_ns = 0;
			line_up(queue, entry);
		} else {
			queue->later_ns = MIN(queue->later_ns, entry->due_ns);
		}
		entry = next;
	}
}

struct status_entry *status_queue_next(struct status_queue *queue, int64_t now_ns)
{
	struct status_entry *entry = NULL;

	wake_due(queue, now_ns);
	if (queue->sends / 2 < STATUS_SENDS_MAX)
		entry = take_turn(queue, STATUS_URGENT);
	if (!entry && queue->sends < STATUS_SENDS_MAX)
		entry = take_turn(queue, STATUS_FLIP);
	if (!entry && queue->sends < STATUS_COUNTS_MAX)
		entry = take_turn(queue, STATUS_COUNT);
	if (!entry)
		return NULL;
	entry->sent = TAKE_PTR(entry->wanted);
	queue->sends++;
	return entry;
}

bool status_queue_retries(const struct status_queue *queue)
{
	return !TAILQ_EMPTY(&queue->later);
}

int64_t status_queue_wake_ns(const struct status_queue *queue)
{
	return queue->later_ns;
}

static void failed(struct status_entry *entry, int64_t cap_ns, int64_t now_ns, uint64_t rnd)
{
	entry->backoff.cap_ns = cap_ns;
	entry->due_ns = now_ns + backoff_next(&entry->backoff, now_ns, rnd);
	entry->due_ns += RETRY_GRID_NS - entry->due_ns % RETRY_GRID_NS;
	if (!entry->wanted)
		entry->wanted = TAKE_PTR(entry->sent);
}

void status_queue_done(struct status_queue *queue, struct status_entry *entry,
		       enum status_outcome outcome, int64_t now_ns, uint64_t rnd)
{
	queue->sends--;
	switch (outcome) {
	case STATUS_STORED:
		json_decref(entry->stored);
		entry->stored = TAKE_PTR(entry->sent);
		entry->unsure = false;
		backoff_reset(&entry->backoff);
		break;
	case STATUS_FAILED:
		entry->unsure = true;
		failed(entry, STATUS_RETRY_LAST_NS, now_ns, rnd);
		break;
	case STATUS_GONE:
		failed(entry, STATUS_RETRY_LAST_NS, now_ns, rnd);
		break;
	case STATUS_UNANSWERED:
		failed(entry, STATUS_UNANSWERED_LAST_NS, now_ns, rnd);
		break;
	}
	json_decref(TAKE_PTR(entry->sent));
	line_up(queue, entry);
}

/* --- life --- */

struct status_queue *status_queue_new(void (*drop)(struct status_entry *entry))
{
	struct status_queue *queue = xcalloc(1, sizeof(*queue));

	for (int i = 0; i < STATUS_LANE_NR; i++)
		TAILQ_INIT(&queue->lane[i]);
	TAILQ_INIT(&queue->later);
	queue->later_ns = INT64_MAX;
	queue->drop = drop;
	return queue;
}

static void drop_sent(const void *node, VISIT visit, void *ctx)
{
	struct status_entry *entry = *(struct status_entry *const *)node;
	struct status_queue *queue = ctx;

	if ((visit == postorder || visit == leaf) && entry->sent)
		queue->drop(entry);
}

void status_queue_free(struct status_queue *queue)
{
	if (!queue)
		return;
	twalk_r(queue->entries, drop_sent, queue);
	tdestroy(queue->entries, entry_free);
	tdestroy(queue->namespaces, turns_free);
	free(queue);
}
