/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PROFILE_PPROF_H
#define AGENT_CORE_PROFILE_PPROF_H

/* A profile as gzipped pprof.  Pure.
 *
 * One value, cpu/nanoseconds; period 1e9 / rate; the sum of all values is exactly profile->cpu_ns.  At most
 * PPROF_SAMPLES samples: the smallest are folded into "[other]".  The labels of the container stand on
 * each sample, where a reader's tag filter finds them, and as comments "KEY=VALUE"; a bare one has none.
 */

#include "agent/core/profile/profile.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#define PPROF_SAMPLES 16000
#define PPROF_LABEL_BYTES 1024 /* a longer label value is cut */

struct pprof_mapping {
	uint64_t start, limit, offset;	 /* of the segment, as ELF virtual addresses */
	const char *filename, *build_id; /* valid UTF-8; build id in hex, or NULL */
	bool has_functions;
	bool main; /* the program itself: stands first, even if no sample is in it */
};

struct pprof_location {
	uint64_t addr;		 /* ELF virtual address, or the kernel's */
	const char *name;	 /* valid UTF-8; NULL = none is known */
	const char *system_name; /* mangled; NULL = as name */
	uint32_t mapping;	 /* index + 1; 0 = none */
};

/* What is known of a profile's frames. */
struct pprof_names {
	const struct pprof_location *location; /* one for each profile->frame */
	const struct pprof_mapping *mapping;
	size_t mapping_nr;
};

/* Returns 0 and a buffer that the caller frees, or a negative errno (zlib had no memory). */
must_check int pprof_encode(const struct profile *profile, const struct pprof_names *names,
			    const struct profile_meta *meta, uint8_t **ret_data, size_t *ret_len,
			    struct err *err);

#endif
