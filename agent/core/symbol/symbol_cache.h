/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_SYMBOL_SYMBOL_CACHE_H
#define AGENT_CORE_SYMBOL_SYMBOL_CACHE_H

/* The names that were found for places in files: (file, address) -> function.  Pure.
 *
 * Misses are kept too, with the name that stands in for them.  symbol_cache_trim() forgets everything when there is too
 * much; symbol_cache_put() takes no more when nobody trims. */

#include "lib/core/base.h"

#define SYMBOL_CACHE_MAX 24576UL
#define SYMBOL_CACHE_BYTES (1024UL * 1024)
#define SYMBOL_CACHE_HARD 4 /* times the above: then symbol_cache_put() does nothing */

struct symbol_cache;

struct symbol_name {
	const char *text;   /* as people read it */
	const char *system; /* as the linker knows it */
	bool found;	    /* false: stands in, e.g. "libc.so.6+0x12" */
};

struct symbol_cache *symbol_cache_new(void);
void symbol_cache_free(struct symbol_cache *cache);

/* False if it is not known.  The strings are valid until the next symbol_cache_put() or symbol_cache_trim(). */
bool symbol_cache_get(const struct symbol_cache *cache, uint32_t file, uint64_t addr,
		      struct symbol_name *ret_name);

/* `system` may be NULL: as text. */
void symbol_cache_put(struct symbol_cache *cache, uint32_t file, uint64_t addr,
		      const struct symbol_name *name);

void symbol_cache_trim(struct symbol_cache *cache);
size_t symbol_cache_nr(const struct symbol_cache *cache);

#endif
