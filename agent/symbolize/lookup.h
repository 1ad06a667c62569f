/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SYMBOLIZE_LOOKUP_H
#define AGENT_SYMBOLIZE_LOOKUP_H

/* From places to names: the symbols of files and of the kernel, for the frames of whole profiles. */

#include "agent/core/profile/pprof.h"
#include "agent/core/profile/profile.h"
#include "agent/process/files.h"
#include "agent/process/procs.h"
#include "agent/symbolize/symbolize.h"
#include "lib/core/base.h"

struct lookup;

/* `proc` is the path of the procfs; files and procs are borrowed.  The kernel's symbols are still to be read:
 * lookup_step(). */
struct lookup *lookup_new(const char *proc, struct files *files, struct procs *procs,
			  int64_t now_ns);
void lookup_free(struct lookup *lookup);

/* Go on reading the kernel's symbols, for 1 to 2 ms; true = there is more. */
bool lookup_step(struct lookup *lookup);
bool lookup_reading(const struct lookup *lookup);

/* Find the names of all frames of these profiles: one pass over each file. */
void lookup_resolve(struct lookup *lookup, struct profile *const *profile, size_t nr,
		    int64_t now_ns);

/* What is known of the frames.  The caller frees location and mapping; the strings are valid until the
 * next lookup_resolve() or lookup_trim(). */
void lookup_names(const struct lookup *lookup, const struct profile *profile,
		  struct pprof_names *ret_names);

/* Forget names if there are too many. */
void lookup_trim(struct lookup *lookup);

/* Fill in what this module counts. */
void lookup_stats(const struct lookup *lookup, struct symbolizer_stats *stats);

#endif
