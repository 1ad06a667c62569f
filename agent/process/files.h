/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PROCESS_FILES_H
#define AGENT_PROCESS_FILES_H

/* The files that sampled processes execute, opened while somebody maps them, so that their symbols can be
 * read when the process is gone.
 *
 * A file is known by device, inode, size and time of change; its id is never given twice.  The files are
 * tenants': only regular files are opened, never on a file system that may block (FUSE, NFS), and
 * all that is read goes through agent/core/symbol/elf.h.
 */

#include "agent/core/symbol/elf.h"
#include "agent/core/symbol/procmap.h"
#include "lib/core/base.h"

#define FILES_MAX 4096 /* known */
#define FILES_OPEN 128 /* descriptors held; the least recently used is closed */

struct file {
	uint32_t id; /* >= FRAME_FILES */
	int fd;	     /* -1 = closed */
	dev_t dev;
	uint64_t ino, size;
	int64_t mtime_ns;
	uint64_t used; /* for the least recently used */
	bool refused;  /* cannot be opened or is no ELF: addresses only */
	bool parsed;   /* elf is filled in */
	bool damaged;  /* a symbol table could not be read */
	bool mapped;   /* for files_sweep(): set by who found it in use */
	struct elf elf;
	/* What the kernel tells of the same file in records of a cgroup's processes, when that is another inode (overlayfs:
	 * the one below); ino 0 = nothing. */
	struct {
		uint64_t cgroup, ino;
		dev_t dev;
	} told;
	char *name;	/* path as the process sees it, valid UTF-8 */
	char *build_id; /* hex, or NULL */
};

struct files;

/* Where a file is mapped: /proc/TGID/map_files/START-END leads to exactly it. */
struct file_place {
	int proc_fd; /* the directory /proc */
	uint32_t tgid;
	const struct procmap_line *line;
};

struct files *files_new(void);
void files_free(struct files *files);

/* The file of an executable mapping; opens it if it is new or was closed.  Returns 0 and its id (FRAME_NAMED = no more
 * can be known), or a negative errno when it is to be asked for later (no descriptor was free). */
must_check int files_get(struct files *files, const struct file_place *place, uint32_t *ret_id);

/* The kernel's records of this cgroup's processes call file `id` by another inode. */
void files_tell(struct files *files, uint32_t id, uint64_t cgroup, dev_t dev, uint64_t ino);

/* The id of the file that is this inode now, or that records of this cgroup call by it, if we hold it open and it is as it
 * was; FRAME_NAMED = not known.  For a mapping of a process that is gone. */
uint32_t files_held(struct files *files, uint64_t cgroup, dev_t dev, uint64_t ino);

/* A file by its id, or NULL when it was forgotten. */
struct file *files_find(struct files *files, uint32_t id);

/* Read its headers if that was not done; false if it is refused or closed. */
bool files_parse(struct files *files, struct file *file);

/* For agent/core/symbol/elf.h; the descriptor must be open. */
struct elf_source files_source(struct file *file);

/* Forget the files that are not marked as mapped, and clear the marks. */
void files_sweep(struct files *files);

size_t files_nr(const struct files *files);
uint64_t files_refused(const struct files *files);

#endif
