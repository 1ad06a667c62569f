/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STATUS_TRACKED_H
#define CONTROLLER_CORE_STATUS_TRACKED_H

/* What the controller remembers of each policy beside the store: when its generation came, what of its
 * course has been told, what was last written.  A sorted table.  Pure. */

#include "controller/core/object/model.h"
#include "lib/core/base.h"

#include <jansson.h>

/* A newest generation that object_from_json() refused. */
struct refusal {
	struct object *object; /* object_outline() */
	char *why;	       /* a sentence that begins with the field */
};

struct tracked {
	enum object_kind kind; /* OBJECT_POLICY or OBJECT_CLUSTER_POLICY */
	char *ns, *name;
	int64_t generation;	 /* the last that is good; 0 = none */
	struct refusal *refused; /* NULL = the newest generation is good */
	int64_t seen_ns;	 /* CLOCK_BOOTTIME at which this generation came */
	bool inherited;		 /* it was there before this process: its apply time is not ours */
	bool confirmed;		 /* Programmed has been True for this generation */
	bool running;		 /* a boost that has started and whose end has not been told */
	json_t *full;		 /* the status last built and stored; NULL = none */
	int64_t written_ns;	 /* CLOCK_BOOTTIME; 0 = never */
	bool dirty;		 /* its status is to be looked at */
	int64_t look_ns;	 /* CLOCK_BOOTTIME: not before, unless something happens to it */
	int64_t behind_ns;	 /* CLOCK_BOOTTIME; status_early_until()'s */
};

struct tracked_table {
	struct tracked *item;
	size_t nr;
};

void tracked_table_release(struct tracked_table *table);

/* NULL when there is none.  Pointers are valid until the table changes. */
struct tracked *tracked_find(const struct tracked_table *table, enum object_kind kind,
			     const char *ns, const char *name);
struct tracked *tracked_find_or_add(struct tracked_table *table, enum object_kind kind,
				    const char *ns, const char *name);

/* Its newest generation is this; `object` is taken over.  True when that is news. */
bool tracked_refuse(struct tracked *item, struct object *object, const char *why);
/* Its newest generation is good. */
void tracked_accept(struct tracked *item);

void tracked_remove(struct tracked_table *table, struct tracked *item);

#endif
