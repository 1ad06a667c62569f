/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PROCESS_PROCS_H
#define AGENT_PROCESS_PROCS_H

/* The sampled processes and where their code is mapped: from an address to a place in a file.
 *
 * A process image is (tgid, image): exec makes a new one, whose number never was before.  Its mappings are read when it is first seen, and
 * again (at most once in PROCS_REFRESH_NS) when an address is in none of them.  Bounded: the least
 * recently used go.
 *
 * A process that is gone before they could be read is given those that the kernel told of (agent/core/symbol/images.h), as far
 * as their files are open for the sake of another process.  On overlayfs these records name the file below, so what they say of
 * a process that could be read as well is remembered for its cgroup.
 */

#include "agent/core/profile/profile.h"
#include "agent/core/symbol/images.h"
#include "agent/process/files.h"
#include "lib/core/base.h"

#define PROCS_MAX 4096
#define PROCS_MAPPINGS (128UL * 1024) /* of all processes together */
#define PROCS_REFRESH_NS NSEC_PER_SEC

/* A process image, and the cgroup it runs in. */
struct proc_id {
	uint32_t tgid;
	uint64_t image;
	uint64_t cgroup;
};

struct proc;
struct procs;

/* `proc` is the path of the procfs.  `files` and `images` are borrowed. */
struct procs *procs_new(const char *proc, struct files *files, const struct images *images);
void procs_free(struct procs *procs);

/* Read the mappings of a process image now; what was known of the process's earlier images goes. */
void procs_seen(struct procs *procs, const struct proc_id *id, int64_t now_ns);

/* The process image, read now if it is not known.  NULL = gone before it was read.  Valid until the next
 * call. */
struct proc *procs_get(struct procs *procs, const struct proc_id *id, int64_t now_ns);

/* Where `addr` is: an id of a file and the offset in it, or a named frame. */
struct frame procs_frame(struct procs *procs, struct proc *proc, uint64_t addr, int64_t now_ns);

/* The file of the program itself; 0 = not known. */
uint32_t procs_main_file(const struct proc *proc);

/* Open this file again, through a process that still maps it. */
void procs_reopen(struct procs *procs, uint32_t file, int64_t now_ns);

/* Forget the processes that were found dead at this call's predecessor: their last samples have
 * come.  Then the files that nobody maps any more, if there are many. */
void procs_reap(struct procs *procs);

size_t procs_nr(const struct procs *procs);
uint64_t procs_missed(const struct procs *procs);  /* gone, and nothing is known of them */
uint64_t procs_adopted(const struct procs *procs); /* gone, but the kernel had told */

#endif
