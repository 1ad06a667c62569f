/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_SYMBOL_KSYMBOLS_H
#define AGENT_CORE_SYMBOL_KSYMBOLS_H

/* Functions of the kernel that came after its list was read: BPF programs and what else is made while it runs, as the
 * kernel's records tell (agent/core/symbol/sideband_parse.h).  Pure. */

#include "agent/core/symbol/sideband_parse.h"
#include "lib/core/base.h"

#define KSYMBOLS_MAX 8192

struct ksymbols;

struct ksymbols *ksymbols_new(void);
void ksymbols_free(struct ksymbols *ksymbols);

/* One came: it takes the place of those whose addresses it has.  When there are KSYMBOLS_MAX it is not kept.  One that
 * went keeps its name: its last samples are still to be read. */
void ksymbols_take(struct ksymbols *ksymbols, const struct sideband_symbol *symbol);

/* Forget those that went. */
void ksymbols_forget_gone(struct ksymbols *ksymbols);

/* The one at `addr`, valid until the next call of another of these functions, or NULL. */
const char *ksymbols_find(const struct ksymbols *ksymbols, uint64_t addr);

size_t ksymbols_nr(const struct ksymbols *ksymbols);

#endif
