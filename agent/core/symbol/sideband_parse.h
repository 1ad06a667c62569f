/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_SYMBOL_SIDEBAND_PARSE_H
#define AGENT_CORE_SYMBOL_SIDEBAND_PARSE_H

/* Records of a perf event that tells of processes (fork, exec, executable mappings) and of functions that come to the
 * kernel while it runs.  Pure. */

#include "lib/core/base.h"

#include <sys/types.h>

#define SIDEBAND_RECORD_BYTES 8192 /* the kernel's limit is a path of 4096 and some fields */

enum sideband_type {
	SIDEBAND_FORK,	 /* a process, not a thread */
	SIDEBAND_EXEC,	 /* pid has a new image; its mappings follow */
	SIDEBAND_MMAP,	 /* of executable memory */
	SIDEBAND_SYMBOL, /* of the kernel: a BPF program, most of the time */
	SIDEBAND_LOST,	 /* records for which there was no room */
};

struct sideband_mapping {
	uint64_t start, end; /* end exclusive */
	uint64_t offset;     /* in the file */
	uint64_t ino;	     /* 0 = no file */
	dev_t dev;
	bool vdso;
};

#define SIDEBAND_NAME_BYTES 128 /* of a kernel's function: a longer one is cut */

struct sideband_symbol {
	uint64_t start, end; /* end exclusive */
	bool gone;	     /* it went */
	char name
		[SIDEBAND_NAME_BYTES]; /* valid UTF-8; a BPF program's ends in " [bpf]", as in /proc/kallsyms */
};

struct sideband_event {
	enum sideband_type type;
	uint32_t pid, parent; /* thread group ids; parent of FORK only */
	uint64_t lost;
	struct sideband_mapping mapping;
	struct sideband_symbol symbol;
};

/* Read one whole record, of an event with PERF_SAMPLE_TIME and sample_id_all.  False if it is none of these, or
 * damaged. */
must_check bool sideband_parse(const void *record, size_t len, struct sideband_event *ret_event);

#endif
