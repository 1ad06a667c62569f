/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_SYMBOL_MOUNT_LINE_H
#define AGENT_CORE_SYMBOL_MOUNT_LINE_H

/* One line of /proc/PID/mountinfo, and what its file system may do to who asks it something.  Pure. */

#include "lib/core/base.h"

#include <sys/types.h>

#define MOUNT_TYPE_BYTES 32

struct mount_line {
	uint64_t id;
	dev_t dev;
	char type[MOUNT_TYPE_BYTES]; /* a longer one is cut */
};

/* Read a line, with or without its newline; false if it is none. */
must_check bool mount_line_parse(const char *line, size_t len, struct mount_line *ret_line);

/* Whether somebody outside the kernel answers for files of this type: a server, which may take for ever. */
bool mount_type_may_block(const char *type);

#endif
