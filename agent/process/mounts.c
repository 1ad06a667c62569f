/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/process/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/core/symbol/mount_line.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif

static FILE *open_list(int proc_fd, uint32_t tgid)
{
	char path[32];
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "%" PRIu32 "/mountinfo", tgid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	file = fdopen(fd, "r");
	if (!file)
		close(fd);
	return file;
}

/* By the mount itself, or, in a process that has left for other mounts since, by what is mounted.  False = not listed. */
static bool find_type(FILE *file, const struct statx *st, char type[MOUNT_TYPE_BYTES])
{
	dev_t dev = makedev(st->stx_dev_major, st->stx_dev_minor);
	cleanup(freep) char *text = NULL;
	struct mount_line line;
	size_t size = 0;
	bool found = false;
	ssize_t len;

	for (int i = 0; i < MOUNTS_MAX && (len = getline(&text, &size, file)) > 0; i++) {
		bool same;

		if (!mount_line_parse(text, (size_t)len, &line))
			continue;
		same = (st->stx_mask & STATX_MNT_ID) && line.id == st->stx_mnt_id;
		if (!same && (found || line.dev != dev))
			continue;
		memcpy(type, line.type, MOUNT_TYPE_BYTES);
		found = true;
		if (same)
			break;
	}
	return found;
}

/* 1, or 0 = not listed, or a negative errno. */
static int type_in_list_of(int proc_fd, uint32_t tgid, const struct statx *st,
			   char type[MOUNT_TYPE_BYTES])
{
	FILE *file = open_list(proc_fd, tgid);
	bool found;

	if (!file)
		return -errno;
	found = find_type(file, st, type);
	fclose(file);
	return found;
}

int mounts_may_block(int proc_fd, uint32_t tgid, int path_fd)
{
	char type[MOUNT_TYPE_BYTES];
	struct statx st;
	int r;

	if (statx(path_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0)
		return -errno;
	r = type_in_list_of(proc_fd, tgid, &st, type);
	if (r < 0)
		return r;
	/* A process sees the mounts below its root only: after chroot() its own is not among them. */
	if (r == 0)
		r = type_in_list_of(proc_fd, 1, &st, type);
	return r <= 0 || mount_type_may_block(type);
}
