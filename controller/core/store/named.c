/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/store/named.h"

#include <assert.h>
#include <string.h>

#include "lib/core/sorted.h"

static int compare_name(const void *key, const void *element)
{
	return strcmp(key, (*(struct named *const *)element)->name);
}

size_t named_place(const struct named_list *list, const char *name)
{
	return sorted_place(name, list->item, list->nr, sizeof(*list->item), compare_name);
}

void *named_find(const struct named_list *list, const char *name)
{
	struct named **found =
		sorted_find(name, list->item, list->nr, sizeof(*list->item), compare_name);

	return found ? *found : NULL;
}

void *named_get(struct named_list *list, const char *name, size_t size)
{
	struct named *item = named_find(list, name);
	size_t at = named_place(list, name);

	if (item)
		return item;
	item = xcalloc(1, size);
	item->name = xstrdup(name);
	GROW(list->item, list->nr);
	memmove(&list->item[at + 1], &list->item[at], (list->nr - at) * sizeof(*list->item));
	list->item[at] = item;
	list->nr++;
	return item;
}

void named_take(struct named_list *list, const char *name)
{
	size_t at = named_place(list, name);

	assert(at < list->nr && strcmp(list->item[at]->name, name) == 0);
	list->nr--;
	memmove(&list->item[at], &list->item[at + 1], (list->nr - at) * sizeof(*list->item));
}
