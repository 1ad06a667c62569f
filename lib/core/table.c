/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/table.h"

#define TABLE_SIZE_MIN 64

void table_release(struct table *table)
{
	free(table->bucket);
	*table = (struct table){ 0 };
}

static struct table_node **bucket_of(const struct table *table, uint64_t hash)
{
	return &table->bucket[hash & (table->size - 1)];
}

static void push(struct table *table, struct table_node *node)
{
	struct table_node **bucket = bucket_of(table, node->hash);

	node->next = *bucket;
	*bucket = node;
}

static void grow(struct table *table)
{
	struct table bigger = { .size = table->size ? 2 * table->size : TABLE_SIZE_MIN,
				.nr = table->nr };

	bigger.bucket = xcalloc(bigger.size, sizeof(*bigger.bucket));
	for (size_t i = 0; i < table->size; i++) {
		struct table_node *next;

		for (struct table_node *node = table->bucket[i]; node; node = next) {
			next = node->next;
			push(&bigger, node);
		}
	}
	free(table->bucket);
	*table = bigger;
}

void table_add(struct table *table, struct table_node *node, uint64_t hash)
{
	if (table->nr >= table->size)
		grow(table);
	node->hash = hash;
	push(table, node);
	table->nr++;
}

void table_remove(struct table *table, struct table_node *node)
{
	struct table_node **at = bucket_of(table, node->hash);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	table->nr--;
}

static struct table_node *same_hash(struct table_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct table_node *table_first(const struct table *table, uint64_t hash)
{
	return table->size ? same_hash(*bucket_of(table, hash), hash) : NULL;
}

struct table_node *table_next(const struct table_node *node)
{
	return same_hash(node->next, node->hash);
}
