/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STORE_NAMED_H
#define CONTROLLER_CORE_STORE_NAMED_H

/* Things by name: pointers to structs that begin with a struct named, sorted, each name once.  An item is its maker's to
 * free, with free(item->name). */

#include "lib/core/base.h"

struct named {
	char *name;
};

struct named_list {
	struct named **item;
	size_t nr;
};

/* Where the name is, or would stand. */
size_t named_place(const struct named_list *list, const char *name);

/* NULL when there is none. */
void *named_find(const struct named_list *list, const char *name);

/* The item of that name; if there is none, `size` bytes of zeros but for the name are added. */
void *named_get(struct named_list *list, const char *name, size_t size);

/* Remove the item from the list; it must be in it. */
void named_take(struct named_list *list, const char *name);

#endif
