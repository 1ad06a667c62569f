/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/model/array_index.h"

#define SIZE_FIRST 64

void array_index_release(struct array_index *index)
{
	free(index->slot);
	*index = (struct array_index){ 0 };
}

static void put(struct array_index *index, struct array_index_slot slot)
{
	size_t at = slot.hash;

	while (index->slot[at & (index->size - 1)].element)
		at++;
	index->slot[at & (index->size - 1)] = slot;
}

static void grow(struct array_index *index)
{
	struct array_index bigger = { .size = MAX(SIZE_FIRST, 2 * index->size), .nr = index->nr };

	bigger.slot = xcalloc(bigger.size, sizeof(*bigger.slot));
	for (size_t i = 0; i < index->size; i++)
		if (index->slot[i].element)
			put(&bigger, index->slot[i]);
	free(index->slot);
	*index = bigger;
}

void array_index_add(struct array_index *index, uint64_t hash, size_t element)
{
	if (index->nr >= index->size / 4 * 3)
		grow(index);
	put(index, (struct array_index_slot){ (uint32_t)hash, (uint32_t)element + 1 });
	index->nr++;
}

struct array_index_walk array_index_walk(const struct array_index *index, uint64_t hash)
{
	return (struct array_index_walk){ index, (uint32_t)hash, (uint32_t)hash };
}

uint32_t array_index_next(struct array_index_walk *walk)
{
	const struct array_index *index = walk->index;

	while (index->size) {
		const struct array_index_slot *slot = &index->slot[walk->at++ & (index->size - 1)];

		if (!slot->element)
			break;
		if (slot->hash == walk->hash)
			return slot->element - 1;
	}
	return ARRAY_INDEX_NONE;
}
