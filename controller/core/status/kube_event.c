/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/kube_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/core/json.h"
#include "lib/core/limits.h"

#define CONTROLLER "profiling.rubato.dev/controller"
#define NOTE_BYTES 1024
#define INSTANCE_BYTES 128
#define STAMP_BYTES 16 /* of a name, with a dot before */
#define TIME_BYTES 40

struct entry {
	uint64_t id;
	enum kube_event_what what;
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

struct kube_events {
	char instance[INSTANCE_BYTES + 1];
	uint64_t last_id;
	struct entry *entry;
	size_t nr;
};

static const struct {
	const char *type, *action, *reason;
} word[KUBE_EVENT_NR] = {
	[KUBE_EVENT_RAISED] = { "Normal", "Raise", "RateRaised" },
	[KUBE_EVENT_RESTORED] = { "Normal", "Restore", "RateRestored" },
	[KUBE_EVENT_CLAMPED] = { "Warning", "Clamp", "RateClamped" },
	[KUBE_EVENT_FAILED] = { "Warning", "Apply", "NotApplied" },
	[KUBE_EVENT_REFUSED] = { "Warning", "Accept", "Invalid" },
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

void kube_event_call_release(struct kube_event_call *call)
{
	free(call->path);
	free(call->body);
}

struct kube_events *kube_events_new(const char *instance)
{
	struct kube_events *events = xcalloc(1, sizeof(*events));

	snprintf(events->instance, sizeof(events->instance), "%.*s",
		 (int)cut(instance, INSTANCE_BYTES), instance);
	events->entry = xcalloc(KUBE_EVENT_MAX, sizeof(*events->entry));
	return events;
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

void kube_events_free(struct kube_events *events)
{
	if (!events)
		return;
	for (size_t i = 0; i < events->nr; i++)
		entry_release(&events->entry[i]);
	free(events->entry);
	free(events);
}

static void drop(struct kube_events *events, struct entry *entry)
{
	entry_release(entry);
	*entry = events->entry[--events->nr];
	events->entry[events->nr] = (struct entry){ 0 };
}

size_t kube_events_nr(const struct kube_events *events)
{
	return events->nr;
}

/* --- what happens --- */

static bool is_of(const struct entry *entry, enum kube_event_what what,
		  const struct kube_event_object *object)
{
	return entry->what == what && strcmp(entry->uid, object->uid) == 0 &&
	       strcmp(entry->name, object->name) == 0 && strcmp(entry->ns, object->ns) == 0 &&
	       strcmp(entry->kind, object->kind) == 0;
}

static struct entry *find(struct kube_events *events, enum kube_event_what what,
			  const struct kube_event_object *object)
{
	for (size_t i = 0; i < events->nr; i++)
		if (is_of(&events->entry[i], what, object))
			return &events->entry[i];
	return NULL;
}

bool kube_events_note(struct kube_events *events, enum kube_event_what what,
		      const struct kube_event_object *object, const char *note, int64_t wall_ns,
		      int64_t now_ns)
{
	struct entry *entry = find(events, what, object);

	if (!entry) {
		if (events->nr == KUBE_EVENT_MAX)
			return false;
		entry = &events->entry[events->nr++];
		*entry = (struct entry){ .id = ++events->last_id,
					 .what = what,
					 .api_version = xstrdup(object->api_version),
					 .kind = xstrdup(object->kind),
					 .ns = xstrdup(object->ns),
					 .name = xstrdup(object->name),
					 .uid = xstrdup(object->uid),
					 .note = xstrndup(note, cut(note, NOTE_BYTES)),
					 .first_wall_ns = wall_ns };
	}
	entry->count++;
	entry->last_wall_ns = wall_ns;
	entry->last_ns = now_ns;
	return true;
}

/* --- what is due --- */

/* When the entry has something to do next: a request, or to be forgotten. */
static int64_t due_ns(const struct entry *entry)
{
	int64_t quiet_ns = entry->last_ns + KUBE_EVENT_QUIET_NS;

	if (entry->is_busy)
		return INT64_MAX;
	if (entry->retry_ns)
		return entry->retry_ns;
	if (!entry->is_posted || (entry->told == 1 && entry->count > 1))
		return 0;
	if (entry->told == entry->count)
		return quiet_ns;
	return MIN(quiet_ns, entry->told_ns + KUBE_EVENT_REFRESH_NS);
}

int64_t kube_events_wake_ns(const struct kube_events *events)
{
	int64_t wake_ns = INT64_MAX;

	for (size_t i = 0; i < events->nr; i++)
		wake_ns = MIN(wake_ns, due_ns(&events->entry[i]));
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

static json_t *event_json(const struct kube_events *events, const struct entry *entry)
{
	cleanup(freep) char *name = event_name(entry);
	json_t *event = json_must(json_pack(
		"{s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:s, s:s}", "apiVersion", "events.k8s.io/v1",
		"kind", "Event", "metadata", "name", name, "namespace", event_ns(entry),
		"reportingController", CONTROLLER, "type", word[entry->what].type, "action",
		word[entry->what].action, "reason", word[entry->what].reason));

	json_object_set_new(event, "reportingInstance", text_json(events->instance));
	json_object_set_new(event, "eventTime", time_json(entry->first_wall_ns));
	json_object_set_new(event, "note", text_json(entry->note));
	json_object_set_new(event, "regarding", regarding_json(entry));
	if (entry->count > 1)
		json_object_set_new(event, "series", series_json(entry));
	return event;
}

static void make_call(const struct kube_events *events, struct entry *entry,
		      struct kube_event_call *call)
{
	cleanup(freep) char *name = event_name(entry);
	json_auto_t *body = entry->is_posted ? json_must(json_object()) : event_json(events, entry);

	if (entry->is_posted)
		json_object_set_new(body, "series", series_json(entry));
	*call = (struct kube_event_call){
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

bool kube_events_next(struct kube_events *events, int64_t now_ns, struct kube_event_call *ret_call)
{
	for (size_t i = 0; i < events->nr;) {
		struct entry *entry = &events->entry[i];

		if (due_ns(entry) > now_ns) {
			i++;
		} else if (entry->is_posted && entry->told == entry->count) {
			drop(events, entry); /* the last one takes its place */
		} else {
			make_call(events, entry, ret_call);
			return true;
		}
	}
	return false;
}

/* --- what came of it --- */

static bool is_worth_a_retry(int code)
{
	return code == 0 || code == 401 || code == 408 || code == 429 || code >= 500;
}

bool kube_events_done(struct kube_events *events, uint64_t id, int code, int64_t now_ns)
{
	struct entry *entry = events->entry, *end = events->entry + events->nr;

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
	if (++entry->tries < KUBE_EVENT_TRIES) {
		if (code == 404 && entry->is_posted) { /* the API server has forgotten it */
			entry->is_posted = false;
			entry->retry_ns = 0;
			return true;
		}
		if (is_worth_a_retry(code)) {
			entry->retry_ns = now_ns + KUBE_EVENT_RETRY_NS;
			return true;
		}
	}
	drop(events, entry);
	return false;
}
