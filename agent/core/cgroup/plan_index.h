/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_CGROUP_PLAN_INDEX_H
#define AGENT_CORE_CGROUP_PLAN_INDEX_H

/* Finds the plan's container of a cgroup: by container id, or by the cgroup path that the plan
 * gives. Pure.  Borrows the plan: it must outlive the index. */

#include "lib/core/plan/plan.h"
#include "lib/core/table.h"

struct plan_row {
	struct table_node node;
	const char *key; /* container id, or a path: absolute, without a slash at its end */
	const struct plan_target *target;
	const struct plan_container *container;
};

struct plan_index {
	struct table table;
	struct plan_row *row;
	size_t row_nr;
	size_t path_nr; /* rows whose key is a path */
};

/* `plan` may be NULL: an empty index. */
void plan_index_init(struct plan_index *index, const struct plan *plan);
void plan_index_release(struct plan_index *index);

/* NULL when the plan has no such container. */
const struct plan_row *plan_index_find(const struct plan_index *index, const char *key, size_t len);

/* The topmost of the directories on `path` that the plan names, and the bytes of `path` it spans.
 */
const struct plan_row *plan_index_find_path(const struct plan_index *index, const char *path,
					    size_t *ret_len);

#endif
