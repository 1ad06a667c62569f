/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_SYMBOL_KALLSYMS_H
#define AGENT_CORE_SYMBOL_KALLSYMS_H

/* The kernel's functions, from the text of /proc/kallsyms, in a compact table (about 15 bytes a
 * function).  Pure. */

#include "lib/core/base.h"

#define KALLSYMS_SYMBOLS (512UL * 1024)
#define KALLSYMS_NAME_BYTES (8UL * 1024 * 1024) /* all names */

struct kallsyms;

struct kallsyms *kallsyms_new(void);
void kallsyms_free(struct kallsyms *kallsyms);

/* Take one line, with or without its newline; what is no function is passed over.  Modules' functions
 * are named "NAME [MODULE]". */
void kallsyms_add(struct kallsyms *kallsyms, const char *line, size_t len);

/* After the last line: sort.  False if no function has an address (kptr_restrict, no CAP_SYSLOG). */
bool kallsyms_finish(struct kallsyms *kallsyms);

/* The function at `addr`, or NULL.  The string is valid until the next call. */
const char *kallsyms_find(struct kallsyms *kallsyms, uint64_t addr);

/* The place of `addr` in the kernel's own text; false if it is not in it or the table does not tell where that is. */
bool kallsyms_offset(const struct kallsyms *kallsyms, uint64_t addr, uint64_t *ret_offset);

#endif
