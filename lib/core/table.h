/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_TABLE_H
#define LIB_CORE_TABLE_H

/* A hash table of nodes that live inside the caller's structs.  It owns its buckets only; what the
 * hash stands for (lib/core/hash.h makes good ones) is the caller's: he walks the nodes of equal hash and compares. */

#include "lib/core/base.h"

struct table_node {
	struct table_node *next;
	uint64_t hash;
};

struct table {
	struct table_node **bucket;
	size_t size; /* 0 or a power of two */
	size_t nr;
};

void table_release(struct table *table);
void table_add(struct table *table, struct table_node *node, uint64_t hash);
void table_remove(struct table *table, struct table_node *node);

/* The nodes of one hash, the youngest first; NULL at the end. */
struct table_node *table_first(const struct table *table, uint64_t hash);
struct table_node *table_next(const struct table_node *node);

/* The struct that `node` is member `field` of, or NULL for NULL. */
#define TABLE_ENTRY(node, type, field)                                                             \
	({                                                                                         \
		const struct table_node *entry_ = (node);                                          \
		entry_ ? (type *)((char *)entry_ - offsetof(type, field)) : NULL;                  \
	})

#endif
