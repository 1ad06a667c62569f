/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/watch/watch_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/text/json.h"

#define RETRY_AFTER_MAX_S 600

static const struct json_keep keep_annotations[] = { WATCH_KEEP_ANNOTATION, { .name = NULL } };

static const struct json_keep keep_metadata[] = {
	WATCH_KEEP_METADATA,
	{ .name = "annotations", .member = keep_annotations },
	{ .name = NULL },
};

const struct json_keep watch_keep_names[] = {
	WATCH_KEEP_STATUS,
	{ .name = "metadata", .member = keep_metadata },
	{ .name = NULL },
};

void watch_read_release(struct watch_read *read)
{
	json_decref(read->root);
	free(read->aside);
	*read = (struct watch_read){ 0 };
}

static const char *text_of(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));

	return text ? text : "";
}

static struct watch_status status_of(const json_t *status)
{
	const json_t *details = json_object_get(status, "details"), *cause;
	json_int_t retry_s = json_integer_value(json_object_get(details, "retryAfterSeconds"));
	const char *reason = text_of(status, "reason");
	struct watch_status ret = {
		.expired = strcmp(reason, "Expired") == 0 || strcmp(reason, "Gone") == 0,
		.internal = strcmp(reason, "InternalError") == 0,
	};
	json_int_t code = json_integer_value(json_object_get(status, "code"));
	size_t i;

	ret.code = code > 0 && code < 1000 ? (int)code : 0;
	if (retry_s > 0)
		ret.retry_after_ns = MIN(retry_s, RETRY_AFTER_MAX_S) * NSEC_PER_SEC;
	json_array_foreach(json_object_get(details, "causes"), i,
			   cause) if (strcmp(text_of(cause, "reason"), "ResourceVersionTooLarge") ==
				      0) ret.too_large = true;
	return ret;
}

struct watch_status watch_read_status(int code, const char *body, size_t len)
{
	json_auto_t *root = NULL;
	struct watch_status status = { 0 };
	struct err err = ERR_INIT;

	if (json_parse_bounded(body, len, LIMIT_KUBE_OBJECT_DEPTH, &root, &err) == 0)
		status = status_of(root);
	status.code = code;
	return status;
}

static const char *version_of(const json_t *metadata)
{
	return json_string_value(json_object_get(metadata, "resourceVersion"));
}

static enum watch_event_type type_of(const char *type)
{
	static const struct {
		const char *name;
		enum watch_event_type type;
	} known[] = {
		{ "ADDED", WATCH_ADDED },     { "MODIFIED", WATCH_PUT },
		{ "DELETED", WATCH_DELETED }, { "BOOKMARK", WATCH_BOOKMARK },
		{ "ERROR", WATCH_ERROR },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].name, type) == 0)
			return known[i].type;
	return WATCH_STRANGE;
}

/* --- objects --- */

static const char *version_in(const json_t *object)
{
	return version_of(json_object_get(object, "metadata"));
}

static bool has_name(const json_t *object)
{
	return text_of(json_object_get(object, "metadata"), "name")[0];
}

/* Of an item of a list it is known of what kind it is. */
static void put_kind(json_t *object, const struct watch_kind *kind)
{
	json_object_set_new(object, "kind", json_must(json_string(kind->name)));
	json_object_set_new(object, "apiVersion", json_must(json_string(kind->api_version)));
}

static int pick(const char *text, size_t len, const struct json_keep *keep, bool is_line,
		json_t **ret_root, struct err *err)
{
	const struct json_keep line[] = { { .name = "type" },
					  { .name = "object", .member = keep },
					  { .name = NULL } };

	return json_pick(text, len, keep && is_line ? line : keep, LIMIT_KUBE_OBJECT_DEPTH,
			 ret_root, err);
}

/* An event of an object; -EINVAL when it is none. */
static int take_object(struct watch_read *read, bool is_line, struct err *err)
{
	json_t *object = is_line ? json_object_get(read->root, "object") : read->root;
	enum watch_event_type type = is_line ? type_of(text_of(read->root, "type")) : WATCH_ITEM;

	if (!json_is_object(object))
		return err_set(err, -EINVAL, "it is not an event of a watch");
	read->event.type = type;
	if (type == WATCH_STRANGE || type == WATCH_ERROR || type == WATCH_BOOKMARK)
		return 0;
	read->event.resource_version = is_line ? version_in(object) : NULL;
	read->object = object;
	return 0;
}

/* --- objects of which only the names can be read --- */

static void put_found(json_t *object, const char *key, const char *found)
{
	if (found[0])
		json_object_set_new(object, key, json_must(json_string(found)));
}

/* An object, or an event of one, that has no more than the names. */
static json_t *root_of(const struct object_scan *scan)
{
	long long generation = strtoll(scan->found[OBJECT_SCAN_GENERATION], NULL, 10);
	json_t *metadata = json_must(json_object()), *root = json_must(json_object());
	json_t *object = root;

	put_found(metadata, "namespace", scan->found[OBJECT_SCAN_NS]);
	put_found(metadata, "name", scan->found[OBJECT_SCAN_NAME]);
	put_found(metadata, "uid", scan->found[OBJECT_SCAN_UID]);
	put_found(metadata, "resourceVersion", scan->found[OBJECT_SCAN_VERSION]);
	put_found(metadata, "deletionTimestamp", scan->found[OBJECT_SCAN_DELETED]);
	if (generation > 0)
		json_object_set_new(metadata, "generation", json_must(json_integer(generation)));
	if (scan->is_event) {
		put_found(root, "type", scan->found[OBJECT_SCAN_TYPE]);
		object = json_must(json_object());
		json_object_set_new(root, "object", object);
	}
	json_object_set_new(object, "metadata", metadata);
	return root;
}

/* What was read is all that can be: is it known whose it is, and is it worth something? */
static int set_aside(struct watch_read *read, const struct watch_kind *kind, const char *why)
{
	static const char way[] = "object.";
	bool is_line = read->event.type != WATCH_ITEM;

	if (!read->object || !has_name(read->object))
		return -EINVAL;
	put_kind(read->object, kind);
	read->aside =
		xstrdup(is_line && strncmp(why, way, strlen(way)) == 0 ? why + strlen(way) : why);
	return 0;
}

int watch_read_passed(const struct object_scan *scan, size_t max, const struct watch_kind *kind,
		      struct watch_read *ret_read, struct err *err)
{
	struct watch_read read = { .root = root_of(scan) };
	struct err why = ERR_INIT;
	int r = take_object(&read, scan->is_event, err);

	err_text(&why, "it is larger than %zu bytes as JSON", max);
	if (r == 0)
		r = set_aside(&read, kind, why.text);
	if (r < 0) {
		watch_read_release(&read);
		return err_set(err, -EINVAL, "%s, and does not say whose it is", why.text);
	}
	*ret_read = read;
	return 0;
}

/* As much as can be had of a text that cannot be read; *err is why. */
static int read_aside(const char *text, size_t len, const struct watch_kind *kind, bool is_line,
		      struct watch_read *ret_read, const struct err *err)
{
	const struct json_keep *keep = kind->keep_aside ? kind->keep_aside : watch_keep_names;
	struct watch_read read = { 0 };
	struct err ignored = ERR_INIT;

	if (pick(text, len, keep, is_line, &read.root, &ignored) < 0 ||
	    take_object(&read, is_line, &ignored) < 0 || !read.object || !has_name(read.object)) {
		struct object_scan scan;

		watch_read_release(&read);
		object_scan_begin(&scan, is_line);
		object_scan_feed(&scan, text, len);
		read.root = root_of(&scan);
		(void)!take_object(&read, is_line, &ignored);
	}
	if (set_aside(&read, kind, err->text) < 0) {
		watch_read_release(&read);
		return -EINVAL;
	}
	*ret_read = read;
	return 0;
}

/* --- what comes --- */

static void read_control(struct watch_read *read)
{
	const json_t *object = json_object_get(read->root, "object");
	const json_t *metadata = json_object_get(object, "metadata");

	if (read->event.type == WATCH_ERROR)
		read->event.status = status_of(object);
	if (read->event.type != WATCH_BOOKMARK)
		return;
	read->event.resource_version = version_of(metadata);
	read->event.initial_end = strcmp(text_of(json_object_get(metadata, "annotations"),
						 "k8s.io/initial-events-end"),
					 "true") == 0;
}

int watch_read_line(const char *text, size_t len, const struct watch_kind *kind,
		    struct watch_read *ret_read, struct err *err)
{
	struct watch_read read = { 0 };
	struct err why = ERR_INIT;
	int r = pick(text, len, kind->keep, true, &read.root, &why);

	if (r < 0) {
		if (read_aside(text, len, kind, true, ret_read, &why) == 0)
			return 0;
		return err_set(err, r, "%s", why.text);
	}
	r = take_object(&read, true, err);
	if (r < 0) {
		watch_read_release(&read);
		return r;
	}
	read_control(&read);
	*ret_read = read;
	return 0;
}

int watch_read_item(const char *text, size_t len, const struct watch_kind *kind,
		    struct watch_read *ret_read, struct err *err)
{
	struct watch_read read = { .event.type = WATCH_ITEM };
	struct err why = ERR_INIT;
	int r = pick(text, len, kind->keep, false, &read.root, &why);

	if (r < 0) {
		if (read_aside(text, len, kind, false, ret_read, &why) == 0)
			return 0;
		return err_set(err, r, "%s", why.text);
	}
	read.object = read.root;
	put_kind(read.object, kind);
	*ret_read = read;
	return 0;
}

int watch_read_metadata(const char *text, size_t len, struct watch_read *ret_read, struct err *err)
{
	struct watch_read read = { .event.type = WATCH_PAGE };
	int r = json_parse_bounded(text, len, LIMIT_JSON_DEPTH, &read.root, err);

	if (r < 0)
		return r;
	read.event.resource_version = version_of(read.root);
	read.event.continue_token = json_string_value(json_object_get(read.root, "continue"));
	*ret_read = read;
	return 0;
}
