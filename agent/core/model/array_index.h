/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_MODEL_ARRAY_INDEX_H
#define AGENT_CORE_MODEL_ARRAY_INDEX_H

/* Finds elements of an array by hash.  For arrays that move when they grow, whose elements cannot hold the nodes
 * of lib/core/table.h; 8 bytes a slot, at most three of four taken.  The array is the caller's, and what is equal too: he
 * walks the elements of one hash and compares. */

#include "lib/core/base.h"

#define ARRAY_INDEX_NONE UINT32_MAX

struct array_index_slot {
	uint32_t hash;
	uint32_t element; /* + 1; 0 = free */
};

struct array_index {
	struct array_index_slot *slot;
	size_t size; /* 0 or a power of two */
	size_t nr;
};

void array_index_release(struct array_index *index);

/* Element `element` (< ARRAY_INDEX_NONE) has this hash.  It is not looked for before. */
void array_index_add(struct array_index *index, uint64_t hash, size_t element);

/* A walk over the elements of one hash. */
struct array_index_walk {
	const struct array_index *index;
	uint32_t hash;
	size_t at;
};

struct array_index_walk array_index_walk(const struct array_index *index, uint64_t hash);

/* The next element of the walk, or ARRAY_INDEX_NONE at its end. */
uint32_t array_index_next(struct array_index_walk *walk);

#endif
