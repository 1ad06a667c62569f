/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/event_recorder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kube/core/event_shares.h"
#include "lib/core/limits.h"
#include "lib/core/text/json.h"

#define NOTE_BYTES 1024
#define INSTANCE_BYTES 128
#define STAMP_BYTES 16 /* of a name, with a dot before */
#define TIME_BYTES 40

struct entry {
	uint64_t id;
	const struct event_reason *reason;
	struct event_share *share; /* its namespace's */
	char *api_version, *kind, *ns, *name, *uid, *note;
	int64_t first_wall_ns, last_wall_ns;
	int64_t last_ns; /* when it last happened */
	int64_t told_ns; /* when `told` was */
	uint64_t count, told,
		asked; /* happened; known to the API server; in the request under way */
	unsigned tries;
	int64_t retry_ns; /* 0 = nothing failed */
	bool is_posted, is_busy;
};

struct event_recorder {
	const char *controller;
	char instance[INSTANCE_BYTES + 1];
	uint64_t last_id;
	struct entry *entry;
	size_t nr;
	struct event_shares shares;
};

/* At most `max` bytes of it, cut between characters. */
static size_t cut(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max)
		return len;
	len = max;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

void event_request_release(struct event_request *call)
{
	free(call->path);
	free(call->body);
}

struct event_recorder *event_recorder_new(const char *controller, const char *instance)
{
	struct event_recorder *recorder = xcalloc(1, sizeof(*recorder));

	recorder->controller = controller;
	snprintf(recorder->instance, sizeof(recorder->instance), "%.*s",
		 (int)cut(instance, INSTANCE_BYTES), instance);
	recorder->entry = xcalloc(EVENT_MAX, sizeof(*recorder->entry));
	return recorder;
}

static void entry_release(struct entry *entry)
{
	free(entry->api_version);
	free(entry->kind);
	free(entry->ns);
	free(entry->name);
	free(entry->uid);
	free(entry->note);
}

void event_recorder_free(struct event_recorder *recorder)
{
	if (!recorder)
		return;
	for (size_t i = 0; i < recorder->nr; i++)
		entry_release(&recorder->entry[i]);
	free(recorder->entry);
	event_shares_release(&recorder->shares);
	free(recorder);
}

static void drop(struct event_recorder *recorder, struct entry *entry)
{
	event_share_leave(&recorder->shares, entry->share);
	entry_release(entry);
	*entry = recorder->entry[--recorder->nr];
	recorder->entry[recorder->nr] = (struct entry){ 0 };
}

size_t event_recorder_nr(const struct event_recorder *recorder)
{
	return recorder->nr;
}

/* --- what happens --- */

static bool is_of(const struct entry *entry, const struct event_reason *reason,
		  const struct event_object *object)
{
	return entry->reason == reason && strcmp(entry->uid, object->uid) == 0 &&
	       strcmp(entry->name, object->name) == 0 && strcmp(entry->ns, object->ns) == 0 &&
	       strcmp(entry->kind, object->kind) == 0;
}

static struct entry *find(struct event_recorder *recorder, const struct event_reason *reason,
			  const struct event_object *object)
{
	for (size_t i = 0; i < recorder->nr; i++)
		if (is_of(&recorder->entry[i], reason, object))
			return &recorder->entry[i];
	return NULL;
}

static bool is_told(const struct entry *entry)
{
	return entry->is_posted && entry->told == entry->count;
}

/* Which of two of one namespace is missed less: one that is told, or else the newer. */
static bool is_worth_less(const struct entry *a, const struct entry *b)
{
	return is_told(a) != is_told(b) ? is_told(a) : a->id > b->id;
}

/* All room is taken: make some for an event of `ns`.  False when there is none for it; *ret_lost: an event that the API
 * server has not heard of went for it. */
static bool make_room(struct event_recorder *recorder, const char *ns, bool *ret_lost)
{
	const struct event_share *giver = event_shares_giver(&recorder->shares, ns);
	struct entry *least = NULL;

	for (size_t i = 0; giver && i < recorder->nr; i++) {
		struct entry *entry = &recorder->entry[i];

		if (entry->share == giver && !entry->is_busy &&
		    (!least || is_worth_less(entry, least)))
			least = entry;
	}
	if (!least)
		return false;
	*ret_lost = !is_told(least);
	drop(recorder, least);
	return true;
}

static struct entry *add(struct event_recorder *recorder, const struct event_reason *reason,
			 const struct event_object *object, const char *note, int64_t wall_ns)
{
	struct entry *entry = &recorder->entry[recorder->nr++];

	*entry = (struct entry){ .id = ++recorder->last_id,
				 .reason = reason,
				 .share = event_share_join(&recorder->shares, object->ns),
				 .api_version = xstrdup(object->api_version),
				 .kind = xstrdup(object->kind),
				 .ns = xstrdup(object->ns),
				 .name = xstrdup(object->name),
				 .uid = xstrdup(object->uid),
				 .note = xstrndup(note, cut(note, NOTE_BYTES)),
				 .first_wall_ns = wall_ns };
	return entry;
}

bool event_recorder_note(struct event_recorder *recorder, const struct event_reason *reason,
			 const struct event_object *object, const char *note, int64_t wall_ns,
			 int64_t now_ns)
{
	struct entry *entry = find(recorder, reason, object);
	bool lost = false;

	if (!entry && recorder->nr == EVENT_MAX && !make_room(recorder, object->ns, &lost))
		return false;
	if (!entry)
		entry = add(recorder, reason, object, note, wall_ns);
	entry->count++;
	entry->last_wall_ns = wall_ns;
	entry->last_ns = now_ns;
	return !lost;
}

/* --- what is due --- */

/* When the entry has something to do next: a request, or to be forgotten. */
static int64_t due_ns(const struct entry *entry)
{
	int64_t quiet_ns = entry->last_ns + EVENT_QUIET_NS;

	if (entry->is_busy)
		return INT64_MAX;
	if (entry->retry_ns)
		return entry->retry_ns;
	if (!entry->is_posted || (entry->told == 1 && entry->count > 1))
		return 0;
	if (entry->told == entry->count)
		return quiet_ns;
	return MIN(quiet_ns, entry->told_ns + EVENT_REFRESH_NS);
}

int64_t event_recorder_wake_ns(const struct event_recorder *recorder)
{
	int64_t wake_ns = INT64_MAX;

	for (size_t i = 0; i < recorder->nr; i++)
		wake_ns = MIN(wake_ns, due_ns(&recorder->entry[i]));
	return wake_ns;
}

/* MicroTime */
static json_t *time_json(int64_t wall_ns)
{
	time_t s = (time_t)(wall_ns / NSEC_PER_SEC);
	char text[TIME_BYTES], day[TIME_BYTES];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%.26s.%06dZ", day, (int)(wall_ns % NSEC_PER_SEC / 1000));
	return json_must(json_string(text));
}

/* The object's name, cut to make room, must not end in what no label may end in. */
static char *event_name(const struct entry *entry)
{
	size_t len = MIN(strlen(entry->name), (size_t)LIMIT_NAME_BYTES - STAMP_BYTES - 1);

	while (len > 0 && (entry->name[len - 1] == '.' || entry->name[len - 1] == '-'))
		len--;
	return xasprintf("%.*s.%016" PRIx64, (int)len, entry->name, (uint64_t)entry->first_wall_ns);
}

static const char *event_ns(const struct entry *entry)
{
	return entry->ns[0] ? entry->ns : "default";
}

/* A text that a file of ours might hold and JSON might not: better no words than no event. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);

	return json ? json : json_must(json_string("(not UTF-8)"));
}

static json_t *series_json(const struct entry *entry)
{
	json_t *series = json_must(json_object());

	json_object_set_new(series, "count", json_integer((json_int_t)entry->count));
	json_object_set_new(series, "lastObservedTime", time_json(entry->last_wall_ns));
	return series;
}

static json_t *regarding_json(const struct entry *entry)
{
	json_t *object = json_must(json_object());

	json_object_set_new(object, "apiVersion", text_json(entry->api_version));
	json_object_set_new(object, "kind", text_json(entry->kind));
	if (entry->ns[0])
		json_object_set_new(object, "namespace", text_json(entry->ns));
	json_object_set_new(object, "name", text_json(entry->name));
	json_object_set_new(object, "uid", text_json(entry->uid));
	return object;
}

static json_t *event_json(const struct event_recorder *recorder, const struct entry *entry)
{
	cleanup(freep) char *name = event_name(entry);
	json_t *event = json_must(json_pack(
		"{s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:s, s:s}", "apiVersion", "events.k8s.io/v1",
		"kind", "Event", "metadata", "name", name, "namespace", event_ns(entry),
		"reportingController", recorder->controller, "type", entry->reason->type, "action",
		entry->reason->action, "reason", entry->reason->reason));

	json_object_set_new(event, "reportingInstance", text_json(recorder->instance));
	json_object_set_new(event, "eventTime", time_json(entry->first_wall_ns));
	json_object_set_new(event, "note", text_json(entry->note));
	json_object_set_new(event, "regarding", regarding_json(entry));
	if (entry->count > 1)
		json_object_set_new(event, "series", series_json(entry));
	return event;
}

static void make_call(const struct event_recorder *recorder, struct entry *entry,
		      struct event_request *call)
{
	cleanup(freep) char *name = event_name(entry);
	json_auto_t *body =
		entry->is_posted ? json_must(json_object()) : event_json(recorder, entry);

	if (entry->is_posted)
		json_object_set_new(body, "series", series_json(entry));
	*call = (struct event_request){
		.id = entry->id,
		.method = entry->is_posted ? "PATCH" : "POST",
		.content_type =
			entry->is_posted ? "application/merge-patch+json" : "application/json",
		.path = xasprintf("/apis/events.k8s.io/v1/namespaces/%s/events%s%s",
				  event_ns(entry), entry->is_posted ? "/" : "",
				  entry->is_posted ? name : ""),
		.body = json_dumps(body, JSON_COMPACT),
	};
	if (!call->body)
		abort();
	entry->is_busy = true;
	entry->asked = entry->count;
}

/* Namespaces take turns, and of one the oldest goes first. */
static bool goes_before(const struct entry *a, const struct entry *b)
{
	return a->share->turn != b->share->turn ? a->share->turn < b->share->turn : a->id < b->id;
}

bool event_recorder_next(struct event_recorder *recorder, int64_t now_ns,
			 struct event_request *ret_call)
{
	struct entry *first = NULL;

	for (size_t i = 0; i < recorder->nr;) {
		struct entry *entry = &recorder->entry[i];

		if (due_ns(entry) <= now_ns && is_told(entry)) {
			drop(recorder, entry); /* the last one takes its place */
			continue;
		}
		if (due_ns(entry) <= now_ns && (!first || goes_before(entry, first)))
			first = entry;
		i++;
	}
	if (!first)
		return false;
	event_share_served(&recorder->shares, first->share);
	make_call(recorder, first, ret_call);
	return true;
}

/* --- what came of it --- */

static bool is_worth_a_retry(int code)
{
	return code == 0 || code == 401 || code == 408 || code == 429 || code >= 500;
}

bool event_recorder_done(struct event_recorder *recorder, uint64_t id, int code, int64_t now_ns)
{
	struct entry *entry = recorder->entry, *end = recorder->entry + recorder->nr;

	while (entry < end && entry->id != id)
		entry++;
	if (entry == end)
		return false;
	entry->is_busy = false;
	if (code / 100 == 2 || (code == 409 && !entry->is_posted)) { /* 409: an answer was lost */
		entry->is_posted = true;
		entry->told = entry->asked;
		entry->told_ns = now_ns;
		entry->tries = 0;
		entry->retry_ns = 0;
		return true;
	}
	if (++entry->tries < EVENT_TRIES) {
		if (code == 404 && entry->is_posted) { /* the API server has forgotten it */
			entry->is_posted = false;
			entry->retry_ns = 0;
			return true;
		}
		if (is_worth_a_retry(code)) {
			entry->retry_ns = now_ns + EVENT_RETRY_NS;
			return true;
		}
	}
	drop(recorder, entry);
	return false;
}
