/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STORE_OBJECT_LIST_H
#define CONTROLLER_CORE_STORE_OBJECT_LIST_H

/* The store's lists: pointers to objects of one kind, sorted by (namespace, name), each name once. */

#include "controller/core/object/model.h"
#include "lib/core/base.h"

struct object_list {
	struct object **object;
	size_t nr;
};

/* Where the object is, or would stand. */
size_t object_list_place(const struct object_list *list, const char *ns, const char *name);

/* NULL when there is none. */
struct object *object_list_find(const struct object_list *list, const char *ns, const char *name);

/* Add the object; returns the one whose place it took, or NULL. */
struct object *object_list_put(struct object_list *list, struct object *object);

/* Remove and return, or NULL. */
struct object *object_list_take(struct object_list *list, const char *ns, const char *name);

/* Free the list, and its objects if it owns them. */
void object_list_release(struct object_list *list, bool owns);

#endif
