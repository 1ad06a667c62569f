/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_SOURCE_SOURCE_SET_H
#define CONTROLLER_CORE_SOURCE_SOURCE_SET_H

/* Which file of a source directory defines which object.  Pure.
 *
 * When several files define the same object, the first by name does; the others have a conflict that
 * names it.  When the owner goes, the next one is to be read again.  Thus what is in force depends on what
 * the files say, not on the order in which they came. */

#include "controller/core/object/manifest.h"
#include "lib/core/base.h"

struct source_set;

/* What came of a change.  Not to be changed from within: do not call the set. */
struct source_set_events {
	/* Take `doc->object` over (TAKE_PTR): this is how the object shall be. */
	void (*apply)(void *ctx, struct manifest_doc *doc);
	/* No file defines it any more. */
	void (*remove)(void *ctx, enum object_kind kind, const char *ns, const char *name);
	/* This file defines something now that it did not: read it again. */
	void (*reread)(void *ctx, const char *file);
};

struct source_set *source_set_new(const struct source_set_events *events, void *ctx);
void source_set_free(struct source_set *set);

/* `file` says this now: what it owns is applied; what it alone defined and does not any more goes at the first
 * source_set_sweep() at due_ns or later: whoever writes a file twice empties it in between.  -E2BIG when that would make
 * more than LIMIT_SOURCE_OBJECTS; nothing is changed then. */
must_check int source_set_put(struct source_set *set, const char *file, struct manifest *manifest,
			      int64_t due_ns, struct err *err);

/* `file` seems to go: whatever other files define is theirs from now on.  The rest stays until
 * source_set_drop(); source_set_put() brings it back. */
void source_set_leave(struct source_set *set, const char *file);
/* It is gone: what it alone defined goes at the next source_set_sweep(). */
void source_set_drop(struct source_set *set, const char *file);

/* Remove what no file defines any more.  To be called when all files that changed together have been
 * put, so that an object can move from one to another. */
void source_set_sweep(struct source_set *set, int64_t now_ns);
/* When that has something to remove, or INT64_MAX. */
int64_t source_set_next(const struct source_set *set);

/* Does another file own something that `file` defines?  Then "... is already defined in a.yaml". */
bool source_set_conflict(const struct source_set *set, const char *file, struct err *ret_why);

size_t source_set_object_nr(const struct source_set *set);

#endif
