/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SYMBOLIZE_SYMBOLIZE_H
#define AGENT_SYMBOLIZE_SYMBOLIZE_H

/* From raw samples to a finished pprof: keeps the mappings of the sampled processes
 * (agent/process/procs.h), the files they map (agent/process/files.h), the kernel's symbols, and a bounded cache of
 * resolved names.
 *
 * Symbol tables are not kept: all addresses of a window are looked up in one pass over each file,
 * and only the names that were found stay.
 */

#include "agent/core/profile/profile.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

struct sample;
struct sideband_event;
struct proc_id;
struct symbolizer;

struct symbolizer_options {
	const char *proc; /* the node's procfs; NULL = "/proc" */
};

/* Counters for /metrics; all only grow but for the last three. */
struct symbolizer_stats {
	uint64_t frames_resolved,
		frames_unresolved;	  /* names found, and fallbacks such as "libc.so.6+0x12" */
	uint64_t processes_missed;	  /* gone before their mappings were read */
	uint64_t files_refused;		  /* no ELF we can read, or a file system that may block */
	uint64_t processes_adopted;	  /* gone likewise, but the kernel had told of them */
	uint64_t processes, files, names; /* kept now */
	bool kernel;			  /* kernel symbols are readable (CAP_SYSLOG) */
};

struct symbolizer *symbolizer_new(const struct symbolizer_options *options);
void symbolizer_free(struct symbolizer *symbolizer);

/* The kernel's symbols take 150 ms to read, so it is done in steps of 1 to 2 ms; true = there is more.  While
 * the first reading lasts, symbolizer_resolve() and _encode() would have to finish it: better wait.  Later
 * ones begin with a symbolizer_resolve() that met an unknown module. */
void symbolizer_check(
	struct symbolizer *symbolizer); /* modules may have come: before the end of a window */
bool symbolizer_step(struct symbolizer *symbolizer);
bool symbolizer_reading(const struct symbolizer *symbolizer);

/* The kernel told of a process, kept for those that are gone too soon, or of a function of its own
 * (agent/kernel/sideband.h). */
void symbolizer_side_event(struct symbolizer *symbolizer, const struct sideband_event *event);

/* A process image was seen for the first time: read its mappings now, before it is gone. */
void symbolizer_process_seen(struct symbolizer *symbolizer, const struct proc_id *id);

/* Normalize the sample and add it to `profile`.  Cannot fail: what cannot be known becomes a named
 * frame, and the CPU time is kept. */
void symbolizer_add(struct symbolizer *symbolizer, struct profile *profile,
		    const struct sample *sample);

/* Look up the names of all frames of these profiles at once.  Optional, but one pass over each file
 * instead of one for each profile. */
void symbolizer_resolve(struct symbolizer *symbolizer, struct profile *const *profile, size_t nr);

/* The profile as gzipped pprof.  Returns 0 and a buffer that the caller frees, or a negative errno.
 */
must_check int symbolizer_encode(struct symbolizer *symbolizer, const struct profile *profile,
				 const struct profile_meta *meta, uint8_t **ret_data,
				 size_t *ret_len, struct err *err);

/* Once per window, when its profiles are done: forget processes that are gone and files nobody
 * maps. */
void symbolizer_tick(struct symbolizer *symbolizer);

void symbolizer_stats(const struct symbolizer *symbolizer, struct symbolizer_stats *ret_stats);

#endif
