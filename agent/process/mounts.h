/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PROCESS_MOUNTS_H
#define AGENT_PROCESS_MOUNTS_H

/* Whether it is safe to ask a file system of a tenant's something.  Its own answer (statfs, fstat, a read) may never come:
 * so it is the list of mounts that is asked, which the kernel writes without it. */

#include "lib/core/base.h"

#define MOUNTS_MAX 16384 /* lines looked at of one process */

/* Whether the file behind `path_fd` (opened with O_PATH), which process `tgid` maps, lies on a file system that may
 * block: 1 or 0; 1 also when its mount is in neither the process's list nor that of process 1 (after chroot() the own
 * list is without it).  A negative errno when the process's list cannot be read. */
must_check int mounts_may_block(int proc_fd, uint32_t tgid, int path_fd);

#endif
