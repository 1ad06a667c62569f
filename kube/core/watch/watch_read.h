/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_WATCH_WATCH_READ_H
#define KUBE_CORE_WATCH_WATCH_READ_H

/* What the API server sends on a watch or list, as events of watch_fsm.h.  Pure. */

#include "kube/core/watch/json_pick.h"
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

struct watch_read {
	json_t *root;	/* owns all that `event` points to; NULL = nothing */
	json_t *object; /* borrowed: of a put, an item or a deletion; NULL = none */
	struct watch_event event;
};

void watch_read_release(struct watch_read *read);

/* One line of a watch; of its object only what `keep` names (NULL = all).  -EINVAL when it is not JSON of a watch
 * event; what is of an unknown type is WATCH_STRANGE. */
must_check int watch_read_line(const char *text, size_t len, const struct json_keep *keep,
			       struct watch_read *ret_read, struct err *err);

struct watch_item_kind {
	const char *name, *api_version; /* which items of a list lack: they are put in */
	const struct json_keep *keep;	/* NULL = all */
};

/* One item of a list. */
must_check int watch_read_item(const char *text, size_t len, const struct watch_item_kind *kind,
			       struct watch_read *ret_read, struct err *err);

/* A list's metadata, as WATCH_PAGE. */
must_check int watch_read_metadata(const char *text, size_t len, struct watch_read *ret_read,
				   struct err *err);

/* An answer that is not 200: `code` is HTTP's, the body may be a Status. */
struct watch_status watch_read_status(int code, const char *body, size_t len);

#endif
