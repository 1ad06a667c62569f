/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/store/store_dump.h"

#include <string.h>

#include "controller/core/object/object_json.h"
#include "lib/core/sorted.h"

struct store_dump {
	const struct store *store;
	int kind;	 /* where it is: enum object_kind, OBJECT_KIND_NR at the end */
	char *ns, *name; /* of the last object of this kind; "" = none yet */
	char *line;	 /* of that object; NULL = none */
	size_t at, len;	 /* what of it has not been read yet */
};

/* --- which is next; by name, since places move when the store changes --- */

/* The name's place is after those that equal it. */
static int compare_after(const void *key, const void *element)
{
	return strcmp(key, (*(struct object *const *)element)->name) < 0 ? -1 : 1;
}

static const struct object *after(struct object_list list, const char *name)
{
	size_t at = sorted_place(name, list.object, list.nr, sizeof(*list.object), compare_after);

	return at < list.nr ? list.object[at] : NULL;
}

/* The first place whose name is not before `name`. */
static size_t seek(const struct store *store, const char *(*name_of)(const struct store *, size_t),
		   size_t nr, const char *name)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(name_of(store, middle), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct object *after_in_ns(const struct store *store,
					struct object_list (*list)(const struct store *,
								   const char *),
					const char *ns, const char *name)
{
	size_t nr = store_ns_nr(store);
	const struct object *object = NULL;

	for (size_t i = seek(store, store_ns_name, nr, ns); i < nr && !object; i++) {
		const char *here = store_ns_name(store, i);

		object = after(list(store, here), strcmp(here, ns) == 0 ? name : "");
	}
	return object;
}

static const struct object *after_by_name(const struct store *store, enum object_kind kind,
					  const char *name)
{
	const char *(*name_of)(const struct store *, size_t) =
		kind == OBJECT_NODE ? store_node_name : store_ns_name;
	size_t nr = kind == OBJECT_NODE ? store_node_nr(store) : store_ns_nr(store);
	const struct object *object = NULL;

	for (size_t i = seek(store, name_of, nr, name); i < nr && !object; i++)
		if (strcmp(name_of(store, i), name) != 0)
			object = store_find(store, kind, "", name_of(store, i));
	return object;
}

static const struct object *next_of_kind(const struct store_dump *dump)
{
	switch ((enum object_kind)dump->kind) {
	case OBJECT_CLUSTER_POLICY:
		return after(store_cluster_policies(dump->store), dump->name);
	case OBJECT_POLICY:
		return after_in_ns(dump->store, store_policies, dump->ns, dump->name);
	case OBJECT_POD:
		return after_in_ns(dump->store, store_pods_of_ns, dump->ns, dump->name);
	case OBJECT_NAMESPACE:
	case OBJECT_NODE:
		break;
	}
	return after_by_name(dump->store, (enum object_kind)dump->kind, dump->name);
}

static void stand_at(struct store_dump *dump, const char *ns, const char *name)
{
	free(dump->ns);
	free(dump->name);
	dump->ns = xstrdup(ns);
	dump->name = xstrdup(name);
}

static const struct object *next(struct store_dump *dump)
{
	const struct object *object = NULL;

	while (dump->kind < OBJECT_KIND_NR && !(object = next_of_kind(dump))) {
		dump->kind++;
		stand_at(dump, "", "");
	}
	if (object)
		stand_at(dump, object->ns, object->name);
	return object;
}

/* --- text --- */

static bool next_line(struct store_dump *dump)
{
	const struct object *object = next(dump);
	json_t *json;

	free(dump->line);
	dump->line = NULL;
	if (!object)
		return false;
	json = object_to_json(object);
	dump->line = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (!dump->line)
		abort();
	dump->at = 0;
	dump->len = strlen(dump->line);
	/* The end of the line takes the place of the NUL. */
	dump->line[dump->len++] = '\n';
	return true;
}

size_t store_dump_read(struct store_dump *dump, char *buf, size_t size)
{
	size_t done = 0;

	while (done < size && (dump->at < dump->len || next_line(dump))) {
		size_t part = MIN(size - done, dump->len - dump->at);

		memcpy(buf + done, dump->line + dump->at, part);
		dump->at += part;
		done += part;
	}
	return done;
}

struct store_dump *store_dump_new(const struct store *store)
{
	struct store_dump *dump = xcalloc(1, sizeof(*dump));

	dump->store = store;
	stand_at(dump, "", "");
	return dump;
}

void store_dump_free(struct store_dump *dump)
{
	if (!dump)
		return;
	free(dump->ns);
	free(dump->name);
	free(dump->line);
	free(dump);
}
