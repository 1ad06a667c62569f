/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/plan/plan_unknown.h"

#include <string.h>

#include "lib/core/plan/caps.h"

struct found {
	size_t nr;
	const char *first;
};

static void add(struct found *found, const char *name)
{
	if (found->nr++ == 0)
		found->first = name;
}

/* `names`: those that are known, ended by NULL. */
static void look_at_members(const json_t *object, const char *const *names, struct found *found)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		const char *const *name = names;

		while (*name && strcmp(*name, key) != 0)
			name++;
		if (!*name)
			add(found, key);
	}
}

static void look_at_step(const json_t *step, struct found *found)
{
	static const char *const known[] = { "hz", "caps", "boosts", NULL };
	const json_t *name;
	size_t i;

	look_at_members(step, known, found);
	json_array_foreach(json_object_get(step, "caps"), i, name)
	{
		if (json_is_string(name) && !capability_from_name(json_string_value(name)))
			add(found, json_string_value(name));
	}
}

static void look_at_class(const json_t *cls, struct found *found)
{
	static const char *const known[] = { "id", "steps", NULL };
	const json_t *step;
	size_t i;

	look_at_members(cls, known, found);
	json_array_foreach(json_object_get(cls, "steps"), i, step) look_at_step(step, found);
}

static void look_at_target(const json_t *target, struct found *found)
{
	static const char *const known[] = { "uid",	"ns",	      "pod",	"class",
					     "service", "containers", "labels", NULL };
	static const char *const known_of_container[] = { "name", "cid", "cgroup", "class", NULL };
	const json_t *container;
	size_t i;

	look_at_members(target, known, found);
	json_array_foreach(json_object_get(target, "containers"), i, container)
	{
		look_at_members(container, known_of_container, found);
	}
}

/* A plan has a list, a delta a list of what it sets. */
static const json_t *list_of(const json_t *json, const char *member)
{
	const json_t *list = json_object_get(json, member);

	return json_is_object(list) ? json_object_get(list, "set") : list;
}

size_t plan_unknown(const json_t *json, const char **ret_first)
{
	struct found found = { 0 };
	const json_t *item;
	size_t i;

	json_array_foreach(list_of(json, "classes"), i, item) look_at_class(item, &found);
	json_array_foreach(list_of(json, "targets"), i, item) look_at_target(item, &found);
	*ret_first = found.first;
	return found.nr;
}
