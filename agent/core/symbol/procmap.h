/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_SYMBOL_PROCMAP_H
#define AGENT_CORE_SYMBOL_PROCMAP_H

/* The executable mappings of a process, from the text of /proc/PID/maps.  Pure.
 *
 * The text is a tenant's: paths hold whatever bytes it likes (the kernel writes newlines and backslashes as
 * octal escapes), and there may be 65,536 mappings.
 */

#include "lib/core/base.h"

#include <sys/types.h>

#define PROCMAP_MAPPINGS 4096	/* executable mappings kept of one process */
#define PROCMAP_PATH_BYTES 4096 /* a longer path is cut */

enum procmap_kind {
	PROCMAP_FILE,
	PROCMAP_ANON, /* no file, or one that only lives in memory: memfd, SysV, /dev/zero */
	PROCMAP_VDSO,
};

struct procmap_line {
	uint64_t start, end; /* of the mapping, end exclusive */
	uint64_t offset;     /* in the file */
	uint64_t ino;
	dev_t dev;
	enum procmap_kind kind;
	bool executable, deleted;
	size_t path_len;
	char path[PROCMAP_PATH_BYTES +
		  1]; /* unescaped, without " (deleted)"; may hold any byte but NUL */
};

/* Read one line of `len` bytes, with or without its newline.  False if it is not one. */
must_check bool procmap_parse(const char *line, size_t len, struct procmap_line *ret_line);

#endif
