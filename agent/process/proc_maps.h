/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PROCESS_PROC_MAPS_H
#define AGENT_PROCESS_PROC_MAPS_H

/* The executable mappings of one process, read from /proc/PID/maps; their files are opened on the way. */

#include "agent/process/files.h"
#include "lib/core/base.h"

struct proc_mapping {
	uint64_t start, end;
	uint64_t offset; /* in the file; for FRAME_NAMED the enum frame_name */
	uint32_t file;
};

struct proc_maps {
	struct proc_mapping *mapping; /* by address */
	size_t nr;
	uint32_t main_file; /* the program itself; 0 = not known */
	bool incomplete;    /* no descriptor was free for it or one of its files: another time */
};

/* `proc_fd` is the directory /proc.  Nothing is read of a process that is gone or ends. */
void proc_maps_read(struct proc_maps *ret_maps, int proc_fd, uint32_t tgid, struct files *files);
void proc_maps_release(struct proc_maps *maps);

/* The mapping that covers `addr`, or NULL. */
const struct proc_mapping *proc_maps_find(const struct proc_maps *maps, uint64_t addr);

#endif
