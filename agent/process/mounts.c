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

/* By the mount itself, or, in a process that has left for other mounts since, by what is mounted. */
static int find_type(FILE *file, const struct statx *st, char type[MOUNT_TYPE_BYTES])
{
	dev_t dev = makedev(st->stx_dev_major, st->stx_dev_minor);
	cleanup(freep) char *text = NULL;
	struct mount_line line;
	size_t size = 0;
	int r = -ENOENT;
	ssize_t len;

	for (int i = 0; i < MOUNTS_MAX && (len = getline(&text, &size, file)) > 0; i++) {
		bool same;

		if (!mount_line_parse(text, (size_t)len, &line))
			continue;
		same = (st->stx_mask & STATX_MNT_ID) && line.id == st->stx_mnt_id;
		if (!same && (r == 0 || line.dev != dev))
			continue;
		memcpy(type, line.type, MOUNT_TYPE_BYTES);
		r = 0;
		if (same)
			break;
	}
	return r;
}

int mounts_may_block(int proc_fd, uint32_t tgid, int path_fd)
{
	char type[MOUNT_TYPE_BYTES];
	struct statx st;
	FILE *file;
	int r;

	if (statx(path_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0)
		return -errno;
	file = open_list(proc_fd, tgid);
	if (!file)
		return -errno;
	r = find_type(file, &st, type);
	fclose(file);
	return r < 0 || mount_type_may_block(type);
}
