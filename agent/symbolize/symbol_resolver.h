/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SYMBOLIZE_SYMBOL_RESOLVER_H
#define AGENT_SYMBOLIZE_SYMBOL_RESOLVER_H

/* From places to names: the symbols of files and of the kernel, for the frames of whole profiles. */

#include "agent/core/profile/pprof.h"
#include "agent/core/profile/profile.h"
#include "agent/process/files.h"
#include "agent/process/procs.h"
#include "lib/core/base.h"

struct sideband_symbol;
struct symbol_resolver;

/* `proc` is the path of the procfs; files and procs are borrowed.  The kernel's symbols are still to be read:
 * symbol_resolver_step(). */
struct symbol_resolver *symbol_resolver_new(const char *proc, struct files *files,
					    struct procs *procs, int64_t now_ns);
void symbol_resolver_free(struct symbol_resolver *resolver);

/* Read the kernel's symbols again if modules came or went. */
void symbol_resolver_check(struct symbol_resolver *resolver, int64_t now_ns);

/* The kernel told of a function of its own that came or went. */
void symbol_resolver_take(struct symbol_resolver *resolver, const struct sideband_symbol *symbol);

/* Go on reading the kernel's symbols, for 1 to 2 ms; true = there is more. */
bool symbol_resolver_step(struct symbol_resolver *resolver);
bool symbol_resolver_reading(const struct symbol_resolver *resolver);

/* Find the names of all frames of these profiles: one pass over each file. */
void symbol_resolver_resolve(struct symbol_resolver *resolver, struct profile *const *profile,
			     size_t nr, int64_t now_ns);

/* What is known of the frames.  The caller frees location and mapping; the strings are valid until the
 * next symbol_resolver_resolve() or symbol_resolver_trim(). */
void symbol_resolver_names(struct symbol_resolver *resolver, const struct profile *profile,
			   struct pprof_names *ret_names);

/* Forget names if there are too many. */
void symbol_resolver_trim(struct symbol_resolver *resolver);

struct symbol_resolver_stats {
	uint64_t found, missing; /* frames told of with a name, and with a stand-in; only grow */
	size_t names;		 /* kept now */
	bool kernel;		 /* kernel symbols are readable */
};
void symbol_resolver_stats(const struct symbol_resolver *resolver,
			   struct symbol_resolver_stats *ret_stats);

#endif
