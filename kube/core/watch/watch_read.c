/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/watch/watch_read.h"

#include <errno.h>
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

int watch_read_line(const char *text, size_t len, const struct json_keep *keep,
		    struct watch_read *ret_read, struct err *err)
{
	struct watch_read read = { 0 };
	json_t *object, *metadata;
	const struct json_keep line[] = { { .name = "type" },
					  { .name = "object", .member = keep },
					  { .name = NULL } };
	int r = json_pick(text, len, keep ? line : NULL, LIMIT_KUBE_OBJECT_DEPTH, &read.root, err);

	if (r < 0)
		return r;
	object = json_object_get(read.root, "object");
	metadata = json_object_get(object, "metadata");
	read.event.type = type_of(text_of(read.root, "type"));
	if (!json_is_object(object)) {
		watch_read_release(&read);
		return err_set(err, -EINVAL, "it is not an event of a watch");
	}
	if (read.event.type == WATCH_ERROR) {
		read.event.status = status_of(object);
	} else if (read.event.type == WATCH_BOOKMARK) {
		read.event.resource_version = version_of(metadata);
		read.event.initial_end = strcmp(text_of(json_object_get(metadata, "annotations"),
							"k8s.io/initial-events-end"),
						"true") == 0;
	} else if (read.event.type != WATCH_STRANGE) {
		read.event.resource_version = version_of(metadata);
		read.object = object;
	}
	*ret_read = read;
	return 0;
}

int watch_read_item(const char *text, size_t len, const struct watch_item_kind *kind,
		    struct watch_read *ret_read, struct err *err)
{
	struct watch_read read = { .event.type = WATCH_ITEM };
	int r = json_pick(text, len, kind->keep, LIMIT_KUBE_OBJECT_DEPTH, &read.root, err);

	if (r < 0)
		return r;
	read.object = read.root;
	json_object_set_new(read.object, "kind", json_must(json_string(kind->name)));
	json_object_set_new(read.object, "apiVersion", json_must(json_string(kind->api_version)));
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
