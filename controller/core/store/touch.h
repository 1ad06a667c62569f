/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STORE_TOUCH_H
#define CONTROLLER_CORE_STORE_TOUCH_H

/* What a change of the store touches. */

#include "controller/core/object/model.h"

enum touch_scope {
	TOUCH_NOTHING, /* nothing we use has changed */
	TOUCH_PODS,    /* pods of `ns` on `node`, and on `old_node` if not NULL */
	TOUCH_NS,      /* everything of `ns` */
	TOUCH_NODE,    /* everything on `node` */
	TOUCH_ALL,
};

/* The strings are those of the objects. */
struct touch {
	enum touch_scope scope;
	const char *ns, *node, *old_node; /* NULL when they do not apply */
};

/* `new` takes the place of `old`; either may be NULL. */
struct touch touch_of(const struct object *old, const struct object *new);

#endif
