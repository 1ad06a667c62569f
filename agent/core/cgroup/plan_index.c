/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/cgroup/plan_index.h"

#include <string.h>

#include "lib/core/hash.h"

static size_t keys_nr(const struct plan *plan)
{
	size_t nr = 0;

	for (size_t i = 0; plan && i < plan->target_nr; i++)
		nr += plan->target[i].container_nr;
	return 2 * nr;
}

static void add(struct plan_index *index, const char *key, const struct plan_target *target,
		const struct plan_container *container)
{
	struct plan_row *row = &index->row[index->row_nr++];

	*row = (struct plan_row){ .key = key, .target = target, .container = container };
	table_add(&index->table, &row->node, hash_bytes(key, strlen(key)));
}

static void add_target(struct plan_index *index, const struct plan_target *target)
{
	for (size_t i = 0; i < target->container_nr; i++) {
		const struct plan_container *container = &target->container[i];

		if (container->cid)
			add(index, container->cid, target, container);
		if (container->cgroup) {
			add(index, container->cgroup, target, container);
			index->path_nr++;
		}
	}
}

void plan_index_init(struct plan_index *index, const struct plan *plan)
{
	*index = (struct plan_index){ .row = xcalloc(keys_nr(plan), sizeof(*index->row)) };
	for (size_t i = 0; plan && i < plan->target_nr; i++)
		add_target(index, &plan->target[i]);
}

void plan_index_release(struct plan_index *index)
{
	table_release(&index->table);
	free(index->row);
	*index = (struct plan_index){ 0 };
}

const struct plan_row *plan_index_find(const struct plan_index *index, const char *key, size_t len)
{
	struct table_node *node = table_first(&index->table, hash_bytes(key, len));

	for (; node; node = table_next(node)) {
		const struct plan_row *row = TABLE_ENTRY(node, struct plan_row, node);

		if (strncmp(row->key, key, len) == 0 && row->key[len] == '\0')
			return row;
	}
	return NULL;
}

const struct plan_row *plan_index_find_path(const struct plan_index *index, const char *path,
					    size_t *ret_len)
{
	size_t len = 0;

	if (index->path_nr == 0)
		return NULL;
	while (path[len]) {
		const struct plan_row *row;

		len += 1 + strcspn(path + len + 1, "/");
		row = plan_index_find(index, path, len);
		if (row) {
			*ret_len = len;
			return row;
		}
	}
	return NULL;
}
