/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_WATCH_WATCH_READ_H
#define KUBE_CORE_WATCH_WATCH_READ_H

/* What the API server sends on a watch or list, as events of watch_fsm.h.  Pure. */

#include "kube/core/watch/json_pick.h"
#include "kube/core/watch/object_scan.h"
#include "kube/core/watch/watch_fsm.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#include <jansson.h>

/* What the functions here look at themselves: the `keep` that they are given has these among its members. */
#define WATCH_KEEP_METADATA                                                                        \
	{ .name = "name" }, { .name = "namespace" },                                               \
	{                                                                                          \
		.name = "resourceVersion"                                                          \
	}
#define WATCH_KEEP_ANNOTATION                                                                      \
	{                                                                                          \
		.name = "k8s.io/initial-events-end" /* of a bookmark */                            \
	}
/* Of a Status, which comes in an object's place when a watch has failed. */
#define WATCH_KEEP_STATUS                                                                          \
	{ .name = "code" }, { .name = "reason" }, { .name = "message" },                           \
	{                                                                                          \
		.name = "details"                                                                  \
	}
/* These, and of an object nothing but its names. */
extern const struct json_keep watch_keep_names[];

/* The objects of one resource. */
struct watch_kind {
	const char *name, *api_version; /* which items of a list lack: they are put in */
	const struct json_keep *keep;	/* NULL = all */
	/* What to keep of an object of which `keep` cannot be read; NULL = its names. */
	const struct json_keep *keep_aside;
};

struct watch_read {
	json_t *root;	/* owns all that `event` points to; NULL = nothing */
	json_t *object; /* borrowed: of a put, an item or a deletion; NULL = none */
	/* The object cannot be read, `object` is only what could be of it, its name at least, and this says why
	 * (with the way to what is wrong in it: "spec.reason: ..."); NULL = it is whole. */
	char *aside;
	struct watch_event event;
};

void watch_read_release(struct watch_read *read);

/* One line of a watch.  -EINVAL when it is not JSON of a watch event, and not even says whose object it has; what is of
 * an unknown type is WATCH_STRANGE. */
must_check int watch_read_line(const char *text, size_t len, const struct watch_kind *kind,
			       struct watch_read *ret_read, struct err *err);

/* One item of a list.  -EINVAL when it does not even say whose it is. */
must_check int watch_read_item(const char *text, size_t len, const struct watch_kind *kind,
			       struct watch_read *ret_read, struct err *err);

/* A line or an item that was longer than `max` bytes, by what was seen of it as it passed by; the same errors. */
must_check int watch_read_passed(const struct object_scan *scan, size_t max,
				 const struct watch_kind *kind, struct watch_read *ret_read,
				 struct err *err);

/* A list's metadata, as WATCH_PAGE. */
must_check int watch_read_metadata(const char *text, size_t len, struct watch_read *ret_read,
				   struct err *err);

/* An answer that is not 200: `code` is HTTP's, the body may be a Status. */
struct watch_status watch_read_status(int code, const char *body, size_t len);

#endif
