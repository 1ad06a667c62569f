/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/tracked.h"

#include <string.h>

#include "lib/core/sorted.h"

struct key {
	enum object_kind kind;
	const char *ns, *name;
};

static int compare(const void *key, const void *element)
{
	const struct key *wanted = key;
	const struct tracked *item = element;
	int r = (wanted->kind > item->kind) - (wanted->kind < item->kind);

	if (r == 0)
		r = strcmp(wanted->ns, item->ns);
	return r ? r : strcmp(wanted->name, item->name);
}

struct tracked *tracked_find(const struct tracked_table *table, enum object_kind kind,
			     const char *ns, const char *name)
{
	return sorted_find(&(struct key){ kind, ns, name }, table->item, table->nr,
			   sizeof(*table->item), compare);
}

struct tracked *tracked_find_or_add(struct tracked_table *table, enum object_kind kind,
				    const char *ns, const char *name)
{
	struct tracked *item = tracked_find(table, kind, ns, name);
	size_t i = sorted_place(&(struct key){ kind, ns, name }, table->item, table->nr,
				sizeof(*table->item), compare);

	if (item)
		return item;
	GROW(table->item, table->nr);
	memmove(&table->item[i + 1], &table->item[i], (table->nr - i) * sizeof(table->item[0]));
	table->nr++;
	table->item[i] = (struct tracked){
		.kind = kind,
		.ns = xstrdup(ns),
		.name = xstrdup(name),
	};
	return &table->item[i];
}

static bool same_refusal(const struct refusal *refused, const struct object *object)
{
	return refused && refused->object->generation == object->generation &&
	       strcmp(refused->object->uid, object->uid) == 0;
}

bool tracked_refuse(struct tracked *item, struct object *object, const char *why)
{
	bool is_news = !same_refusal(item->refused, object);

	tracked_accept(item);
	item->refused = xcalloc(1, sizeof(*item->refused));
	*item->refused = (struct refusal){ .object = object, .why = xstrdup(why) };
	return is_news;
}

void tracked_accept(struct tracked *item)
{
	if (!item->refused)
		return;
	object_free(item->refused->object);
	free(item->refused->why);
	free(TAKE_PTR(item->refused));
}

void tracked_remove(struct tracked_table *table, struct tracked *item)
{
	size_t i = (size_t)(item - table->item);

	free(item->ns);
	free(item->name);
	json_decref(item->full);
	tracked_accept(item);
	table->nr--;
	memmove(item, item + 1, (table->nr - i) * sizeof(*item));
}

void tracked_table_release(struct tracked_table *table)
{
	while (table->nr)
		tracked_remove(table, &table->item[table->nr - 1]);
	free(table->item);
	table->item = NULL;
}
