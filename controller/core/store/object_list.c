/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/store/object_list.h"

#include <string.h>

#include "lib/core/sorted.h"

struct key {
	const char *ns, *name;
};

static int compare(const void *key, const void *element)
{
	const struct key *wanted = key;
	const struct object *object = *(struct object *const *)element;
	int r = strcmp(wanted->ns, object->ns);

	return r ? r : strcmp(wanted->name, object->name);
}

size_t object_list_place(const struct object_list *list, const char *ns, const char *name)
{
	return sorted_place(&(struct key){ ns, name }, list->object, list->nr,
			    sizeof(*list->object), compare);
}

struct object *object_list_find(const struct object_list *list, const char *ns, const char *name)
{
	struct object **found = sorted_find(&(struct key){ ns, name }, list->object, list->nr,
					    sizeof(*list->object), compare);

	return found ? *found : NULL;
}

struct object *object_list_put(struct object_list *list, struct object *object)
{
	struct object *old = object_list_find(list, object->ns, object->name);
	size_t at = object_list_place(list, object->ns, object->name);

	if (!old) {
		GROW(list->object, list->nr);
		memmove(&list->object[at + 1], &list->object[at],
			(list->nr - at) * sizeof(*list->object));
		list->nr++;
	}
	list->object[at] = object;
	return old;
}

struct object *object_list_take(struct object_list *list, const char *ns, const char *name)
{
	struct object *object = object_list_find(list, ns, name);
	size_t at = object_list_place(list, ns, name);

	if (!object)
		return NULL;
	list->nr--;
	memmove(&list->object[at], &list->object[at + 1], (list->nr - at) * sizeof(*list->object));
	return object;
}

void object_list_release(struct object_list *list, bool owns)
{
	for (size_t i = 0; owns && i < list->nr; i++)
		object_free(list->object[i]);
	free(list->object);
}
