/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/store/object_list.h"

#include <string.h>

static int compare(const struct object *object, const char *ns, const char *name)
{
	int r = strcmp(object->ns, ns);

	return r ? r : strcmp(object->name, name);
}

/* Where the object is, or would stand. */
static bool list_seek(const struct object_list *list, const char *ns, const char *name,
		      size_t *ret_at)
{
	size_t low = 0, high = list->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = compare(list->object[middle], ns, name);

		if (r == 0) {
			*ret_at = middle;
			return true;
		}
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_at = low;
	return false;
}

struct object *object_list_find(const struct object_list *list, const char *ns, const char *name)
{
	size_t at;

	return list_seek(list, ns, name, &at) ? list->object[at] : NULL;
}

struct object *object_list_put(struct object_list *list, struct object *object)
{
	struct object *old;
	size_t at;

	if (list_seek(list, object->ns, object->name, &at)) {
		old = list->object[at];
		list->object[at] = object;
		return old;
	}
	GROW(list->object, list->nr);
	memmove(&list->object[at + 1], &list->object[at], (list->nr - at) * sizeof(*list->object));
	list->object[at] = object;
	list->nr++;
	return NULL;
}

struct object *object_list_take(struct object_list *list, const char *ns, const char *name)
{
	struct object *object;
	size_t at;

	if (!list_seek(list, ns, name, &at))
		return NULL;
	object = list->object[at];
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
