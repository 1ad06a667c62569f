/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_SYMBOL_NAMES_H
#define AGENT_CORE_SYMBOL_NAMES_H

/* The names that were found for places in files: (file, address) -> function.  Pure.
 *
 * Misses are kept too, with the name that stands in for them.  names_trim() forgets everything when there is too
 * much; names_put() takes no more when nobody trims. */

#include "lib/core/base.h"

#define NAMES_MAX 24576UL
#define NAMES_BYTES (1024UL * 1024)
#define NAMES_HARD 4 /* times the above: then names_put() does nothing */

struct names;

struct name {
	const char *text;   /* as people read it */
	const char *system; /* as the linker knows it */
	bool found;	    /* false: stands in, e.g. "libc.so.6+0x12" */
};

struct names *names_new(void);
void names_free(struct names *names);

/* False if it is not known.  The strings are valid until the next names_put() or names_trim(). */
bool names_get(const struct names *names, uint32_t file, uint64_t addr, struct name *ret_name);

/* `system` may be NULL: as text. */
void names_put(struct names *names, uint32_t file, uint64_t addr, const struct name *name);

void names_trim(struct names *names);
size_t names_nr(const struct names *names);

#endif
