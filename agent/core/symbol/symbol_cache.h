/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_SYMBOL_SYMBOL_CACHE_H
#define AGENT_CORE_SYMBOL_SYMBOL_CACHE_H

/* The names that were found for places in files: (file, address) -> function.  Pure.
 *
 * Misses are kept too, with the name that stands in for them.  What was not asked for goes first: there are two
 * generations; symbol_cache_age() makes the young one the old when it is full, and forgets the old one.  Between two calls
 * nothing is forgotten, so names that were put or touched since then can be got.
 */

#include "lib/core/base.h"

#define SYMBOL_CACHE_MAX 24576UL /* of a generation, when it is full */
#define SYMBOL_CACHE_BYTES (1024UL * 1024)
#define SYMBOL_CACHE_HARD                                                                          \
	16 /* times the above: then symbol_cache_put() takes no more until the next age */

struct symbol_cache;

struct symbol_name {
	const char *text;   /* as people read it */
	const char *system; /* as the linker knows it */
	bool found;	    /* false: stands in, e.g. "libc.so.6+0x12" */
};

struct symbol_cache *symbol_cache_new(void);
void symbol_cache_free(struct symbol_cache *cache);

/* False if it is not known.  The strings are valid until the next call that changes the cache. */
bool symbol_cache_get(const struct symbol_cache *cache, uint32_t file, uint64_t addr,
		      struct symbol_name *ret_name);

/* The same, and it will be needed: it becomes young. */
bool symbol_cache_touch(struct symbol_cache *cache, uint32_t file, uint64_t addr,
			struct symbol_name *ret_name);

/* `system` may be NULL: as text. */
void symbol_cache_put(struct symbol_cache *cache, uint32_t file, uint64_t addr,
		      const struct symbol_name *name);

void symbol_cache_age(struct symbol_cache *cache);

/* At the end of a window: age, and keep nothing that is above the bounds. */
void symbol_cache_trim(struct symbol_cache *cache);
size_t symbol_cache_nr(const struct symbol_cache *cache);

#endif
