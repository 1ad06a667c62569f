/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/status_queue.h"

#include <search.h>
#include <string.h>

#include "controller/core/status/status_read.h"

#define RETRY_GRID_NS (100 * NSEC_PER_MSEC) /* thousands that fail are looked at together */

struct status_queue {
	void *entries;			  /* tsearch(3) */
	struct status_list urgent, ready; /* to be sent */
	struct status_list later;	  /* to be sent when due */
	int64_t later_ns;		  /* not before that is one of `later` due */
	size_t sends;			  /* under way */
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

static void leave(struct status_entry *entry)
{
	if (entry->in)
		TAILQ_REMOVE(entry->in, entry, place);
	entry->in = NULL;
}

static void enter(struct status_entry *entry, struct status_list *list)
{
	leave(entry);
	TAILQ_INSERT_TAIL(list, entry, place);
	entry->in = list;
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
	leave(entry);
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
	if (!tsearch(entry, &queue->entries, by_name))
		abort();
	return entry;
}

/* --- what is wanted --- */

/* Into the list where it belongs. */
static void line_up(struct status_queue *queue, struct status_entry *entry)
{
	if (!entry->wanted || entry->sent)
		leave(entry);
	else if (entry->due_ns)
		enter(entry, &queue->later);
	else if (entry->urgent && entry->in != &queue->urgent)
		enter(entry, &queue->urgent);
	else if (!entry->in)
		enter(entry, &queue->ready);
	if (entry->in == &queue->later)
		queue->later_ns = MIN(queue->later_ns, entry->due_ns);
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
			leave(entry);
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
		entry = TAILQ_FIRST(&queue->urgent);
	if (!entry && queue->sends < STATUS_SENDS_MAX)
		entry = TAILQ_FIRST(&queue->ready);
	if (!entry)
		return NULL;
	entry->sent = TAKE_PTR(entry->wanted);
	leave(entry);
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

	TAILQ_INIT(&queue->urgent);
	TAILQ_INIT(&queue->ready);
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
	free(queue);
}
