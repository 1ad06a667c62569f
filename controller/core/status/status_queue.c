/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/status_queue.h"

#include <search.h>
#include <string.h>

#include "controller/core/status/status_queue_priv.h"
#include "controller/core/status/status_read.h"
#include "kube/core/watch/watch_fsm.h"
#include "lib/core/text/json.h"

#define RETRY_GRID_NS (100 * NSEC_PER_MSEC) /* thousands that fail are looked at together */

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

static void entry_free(void *ptr)
{
	struct status_entry *entry = ptr;

	json_decref(entry->stored);
	json_decref(entry->wanted);
	json_decref(entry->sent);
	json_decref(entry->news);
	free(entry->ns);
	free(entry->name);
	free(entry->uid);
	free(entry);
}

static void forget(struct status_queue *queue, struct status_entry *entry)
{
	tdelete(entry, &queue->entries, by_name);
	status_leave(queue, entry);
	status_turns_put(queue, entry->turns);
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
	entry->turns = status_turns_get(queue, object->ns);
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
		status_leave(queue, entry);
	else if (entry->due_ns)
		status_wait(queue, entry);
	else if (entry->urgent)
		status_enter(queue, entry, STATUS_URGENT);
	else
		status_enter(queue, entry,
			     status_flips(entry->stored, entry->wanted) ? STATUS_FLIP
									: STATUS_COUNT);
}

const json_t *status_queue_stored(struct status_queue *queue, const struct object *object)
{
	const struct status_entry *entry = find(queue, object);

	return entry ? entry->stored : NULL;
}

/* --- what others write --- */

static void keep_version(char ret[STATUS_VERSION_BYTES], const char *version)
{
	ret[0] = '\0';
	if (version && strlen(version) < STATUS_VERSION_BYTES)
		memcpy(ret, version, strlen(version) + 1);
}

/* Somebody undoes what we write, again and again: who is right is not for us to fight out. */
static int64_t mend_due(struct status_entry *entry, int64_t now_ns)
{
	bool calm = !entry->mended_ns || now_ns - entry->mended_ns > STATUS_MEND_CALM_NS;

	entry->mend_wait_ns = calm ? 0
				   : MIN(MAX(2 * entry->mend_wait_ns, STATUS_RETRY_FIRST_NS),
					 STATUS_MEND_LAST_NS);
	entry->mended_ns = now_ns;
	return entry->mend_wait_ns ? now_ns + entry->mend_wait_ns : 0;
}

/* The API has `status` (taken over; NULL = none), which we did not write: what we wanted is wanted again. */
static void mend(struct status_queue *queue, struct status_entry *entry, json_t *status,
		 int64_t now_ns)
{
	json_t *ours = entry->stored;

	entry->stored = status;
	if (!entry->is_ours || entry->wanted) {
		json_decref(ours);
	} else {
		entry->wanted = ours;
		entry->due_ns = mend_due(entry, now_ns);
	}
	line_up(queue, entry);
}

void status_queue_learn(struct status_queue *queue, const struct object *object,
			const json_t *status, const char *version, int64_t now_ns)
{
	struct status_entry *entry = find(queue, object);

	if (!entry) {
		if (!json_is_object(status))
			return;
		entry = find_or_add(queue, object);
		entry->stored = json_deep_copy(status);
		keep_version(entry->version, version);
		return;
	}
	if (!version || watch_version_compare(version, entry->version) <= 0)
		return;
	if (entry->sent) {
		/* The answer will tell whether it came before or after what is under way. */
		json_decref(entry->news);
		entry->news =
			json_is_object(status) ? json_deep_copy(status) : json_must(json_object());
		keep_version(entry->news_version, version);
		return;
	}
	keep_version(entry->version, version);
	if (!status_equal(entry->stored, status))
		mend(queue, entry, json_deep_copy(status), now_ns);
}

/* What has come of others while a write of ours was under way, which has become `version`. */
static void judge_news(struct status_queue *queue, struct status_entry *entry, const char *version,
		       int64_t now_ns)
{
	json_t *news = TAKE_PTR(entry->news);

	keep_version(entry->version, version);
	if (news && watch_version_compare(entry->news_version, entry->version) > 0 &&
	    !status_equal(news, entry->stored)) {
		keep_version(entry->version, entry->news_version);
		mend(queue, entry, TAKE_PTR(news), now_ns);
	}
	json_decref(news);
}

bool status_queue_want(struct status_queue *queue, const struct object *object, json_t *status,
		       bool urgent)
{
	struct status_entry *entry = find_or_add(queue, object);
	bool there = entry->sent ? status_equal(entry->sent, status)
				 : !entry->unsure && status_equal(entry->stored, status);

	entry->is_ours = true;
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
		entry = status_take_turn(queue, STATUS_URGENT);
	if (!entry && queue->sends < STATUS_SENDS_MAX)
		entry = status_take_turn(queue, STATUS_FLIP);
	if (!entry && queue->sends < STATUS_COUNTS_MAX)
		entry = status_take_turn(queue, STATUS_COUNT);
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
		       enum status_outcome outcome, const char *version, int64_t now_ns,
		       uint64_t rnd)
{
	queue->sends--;
	switch (outcome) {
	case STATUS_STORED:
		json_decref(entry->stored);
		entry->stored = TAKE_PTR(entry->sent);
		entry->unsure = false;
		backoff_reset(&entry->backoff);
		judge_news(queue, entry, version, now_ns);
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

	status_lanes_init(queue);
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
	status_lanes_release(queue);
	free(queue);
}
