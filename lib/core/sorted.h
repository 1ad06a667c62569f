/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_SORTED_H
#define LIB_CORE_SORTED_H

/* Search in sorted arrays.  Inline, so that the comparison is, too.
 *
 * `compare` is given the key and an element, whatever their types are: negative when the key belongs before the
 * element, 0 when the element is the key's, positive when it belongs after it.
 *
 *	static int compare_name(const void *key, const void *element)
 *	{
 *		return strcmp(key, ((const struct node *)element)->name);
 *	}
 *
 *	struct node *node = sorted_find(name, nodes->node, nodes->nr, sizeof(struct node), compare_name);
 */

#include "lib/core/base.h"

/* The index of the first element that is not before the key: where it is, or where it would be put in; nr when all are
 * before it.  Of equal elements the first.  With a compare that gives 1 for an equal element: the first after it. */
static inline size_t sorted_place(const void *key, const void *array, size_t nr, size_t size,
				  int (*compare)(const void *key, const void *element))
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(key, (const char *)array + middle * size) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first element that is the key's, or NULL.  `array` may be NULL when nr is 0. */
static inline void *sorted_find(const void *key, const void *array, size_t nr, size_t size,
				int (*compare)(const void *key, const void *element))
{
	size_t at = array ? sorted_place(key, array, nr, size, compare) : nr;

	if (at == nr || compare(key, (const char *)array + at * size) != 0)
		return NULL;
	return (char *)array + at * size;
}

#endif
