/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_REFLECTOR_REFLECTOR_H
#define KUBE_REFLECTOR_REFLECTOR_H

/* Follows one resource of the Kubernetes API: every object that is there is told, then every change, for as long as
 * the reflector lives.  Whatever goes wrong on the way (a server that restarts, a version that has expired, an etcd
 * that was restored, a token that was revoked) is its own business; what to do next is decided in watch_fsm.h.
 *
 * Objects are told one at a time, as JSON of which only what `keep` names has been parsed; the reflector keeps none of
 * them.  What it keeps is 8 to 16 bytes of each during a sync, to know afterwards which have not come.
 *
 * All is done on the loop.  Work is done in slices of 5 ms; what does not fit waits for the next turn of the loop, and
 * the server waits with it: nothing piles up in between.  No callback is made from within a call of this module, but
 * for reflector_close(), which makes none at all; a callback may not close the reflector that calls it. */

#include "kube/core/watch/key_set.h"
#include "kube/core/watch/watch_read.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

struct kube_http;
struct metric;
struct reflector;
struct uv_loop_s;

struct reflector_resource {
	const char *path; /* "/api/v1/pods"; without a query */
	/* "v1", "Pod": items of a list lack them, and get them. */
	const char *api_version, *kind;
	/* What to parse of an object, WATCH_KEEP_* among it; NULL = all. */
	const struct json_keep *keep;
	/* What to parse of an object of which `keep` cannot be read; NULL = its names. */
	const struct json_keep *keep_aside;
	/* What a person may do when it is forbidden (403), or not known (404); NULL = nothing is suggested. */
	const char *forbidden_hint, *missing_hint;
};

/* set_aside, sweep, settled and synced may be NULL: they are not needed. */
struct reflector_events {
	/* This is how the object is now.  Borrowed, as are all texts. */
	void (*put)(void *ctx, json_t *object);
	/* It is there, and cannot be used: it is not JSON as we take it (duplicate members, \u0000, too deep), or
	 * larger than LIMIT_KUBE_OBJECT_BYTES.  `names` is what could be read of it, metadata.name at least; `why` begins
	 * with the way to what is wrong, if that is known.  Nothing else is hindered by it. */
	void (*set_aside)(void *ctx, json_t *names, const char *why);
	/* It is no more; `ns` is "" when it is cluster-scoped. */
	void (*remove)(void *ctx, const char *ns, const char *name);
	/* A sync has told all there is.  Whatever else is known and is not in `seen` is no more: forget some of it,
	 * for a few milliseconds.  True when that was all; else it is called again, with `begins` false, before
	 * anything else is told. */
	bool (*sweep)(void *ctx, const struct key_set *seen, bool begins);
	/* A slice of changes has been told.  Not called during a sync, before its end. */
	void (*settled)(void *ctx);
	/* A sync is over, and swept. */
	void (*synced)(void *ctx);
};

struct reflector_options {
	struct kube_http *http;
	const struct reflector_resource *resource;
	const struct reflector_events *events;
	void *ctx;
	int64_t timeout_s; /* a watch is asked for so long, or up to twice that; 0 = 300 */
	/* Counters; NULL = not counted.  `lists`: requests for (pages of) lists; `errors`: watches and lists
	 * that did not go as they should. */
	struct metric *lists, *errors;
};

/* Begins at the next turn of the loop.  `options` is copied; what it points to must outlive the reflector. */
struct reflector *reflector_new(struct uv_loop_s *loop, const struct reflector_options *options);

/* Stop; the memory goes when the loop has run its close callbacks.  NULL is nothing.  To be called before
 * kube_http_close(). */
void reflector_close(struct reflector *reflector);

/* False, with the reason, while the resource has not been read once, or is forbidden or missing. */
bool reflector_ok(const struct reflector *reflector, struct err *ret_why);

/* Has a sync been swept, since the last one began? */
bool reflector_synced(const struct reflector *reflector);

#endif
