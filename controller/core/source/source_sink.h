/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_SOURCE_SOURCE_SINK_H
#define CONTROLLER_CORE_SOURCE_SOURCE_SINK_H

/* Where a source puts what it reads.  Sources (source_dir.h, kube_source.h) know this and no concrete peer. */

#include "controller/core/object/manifest.h"
#include "kube/core/watch/key_set.h"
#include "lib/core/base.h"

/* How far the removal of pods that are not in a set has come.  All zeros = it begins. */
struct sweep_at {
	char *ns;    /* namespaces before it are done; NULL = none is */
	size_t next; /* pod in it */
};

static inline void sweep_at_release(struct sweep_at *at)
{
	free(at->ns);
	*at = (struct sweep_at){ 0 };
}

/* A source calls only what it has a use for, and may leave the rest NULL with whom it calls.  None of them may call
 * the source back. */
struct source_sink {
	void *ctx;
	/* Take `doc->object` over (TAKE_PTR): this is how the object shall be. */
	void (*apply)(void *ctx, struct manifest_doc *doc);
	/* The object is no more. */
	void (*remove)(void *ctx, enum object_kind kind, const char *ns, const char *name);
	/* The newest generation of a policy cannot be used (object_from_json()); `outline` (object_outline(), taken
	 * over) is whose.  What was good of it before stays in force, and its status says so. */
	void (*refuse)(void *ctx, struct object *outline, const char *why);
	/* Remove objects of the kind that are not in `keep`: pods some thousands at a time, others all at once.  True
	 * when that was the last of them; else to be called again, before any other pod changes. */
	bool (*sweep)(void *ctx, enum object_kind kind, const struct key_set *keep,
		      struct sweep_at *at);
	/* All changes that came together have been told. */
	void (*settled)(void *ctx);
	/* Everything that exists has been told, and nothing of it is refused by the source itself: what is kept of
	 * objects that are no more can go. */
	void (*complete)(void *ctx);
	/* A status that was on its way (status_store.h) is stored. */
	void (*stored)(void *ctx, enum object_kind kind, const char *ns, const char *name);
};

#endif
