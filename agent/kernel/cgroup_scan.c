/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/kernel/cgroup_scan.h"

#include "agent/core/cgroup/cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MOUNTINFO_BYTES ((size_t)4 << 20)

static char *read_mountinfo(struct err *err)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *text;
	size_t len;

	if (!file) {
		(void)err_set(err, -errno, "/proc/self/mountinfo: %s", strerror(errno));
		return NULL;
	}
	text = xmalloc(MOUNTINFO_BYTES + 1);
	len = fread(text, 1, MOUNTINFO_BYTES, file);
	text[len] = '\0';
	fclose(file);
	return text;
}

static bool is_kind(const char *path, long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (long)fs.f_type == magic;
}

static int find_given(const char *root, struct cgroup_mount *ret_mount, struct err *err)
{
	cleanup(freep) char *unified = xasprintf("%s/unified", root);

	if (is_kind(root, CGROUP2_SUPER_MAGIC))
		*ret_mount = (struct cgroup_mount){ .path = xstrdup(root) };
	else if (is_kind(unified, CGROUP2_SUPER_MAGIC))
		*ret_mount = (struct cgroup_mount){ .path = TAKE_PTR(unified) };
	else if (is_kind(root, CGROUP_SUPER_MAGIC))
		*ret_mount = (struct cgroup_mount){ .path = xstrdup(root), .v1 = true };
	else
		return err_set(err, -ENOENT,
			       "cgroup-root %s: no cgroup file system is mounted there", root);
	return 0;
}

int cgroup_mount_find(const char *root, struct cgroup_mount *ret_mount, struct err *err)
{
	cleanup(freep) char *text = NULL;

	if (root)
		return find_given(root, ret_mount, err);
	text = read_mountinfo(err);
	return text ? cgroup_mount_parse(text, ret_mount, err) : -EIO;
}

struct walk {
	DIR *dir[CGROUP_SCAN_DEPTH];
	size_t len[CGROUP_SCAN_DEPTH]; /* of the path of dir[i] */
	size_t depth;
	char path[CGROUP_PATH_MAX];
	size_t dirs;
	bool cut;
	bool (*seen)(void *ctx, uint64_t id, const char *path);
	void *ctx;
};

static void enter(struct walk *walk, int parent, const char *name, size_t len)
{
	int fd;

	if (walk->depth == CGROUP_SCAN_DEPTH) {
		walk->cut = true;
		return;
	}
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	walk->dir[walk->depth] = fdopendir(fd);
	if (!walk->dir[walk->depth]) {
		close(fd);
		return;
	}
	walk->len[walk->depth++] = len;
}

/* kernfs keeps a directory's link count at 2 + its subdirectories: a leaf need not be read. */
static void visit(struct walk *walk, DIR *parent, const struct dirent *entry)
{
	size_t at = walk->len[walk->depth - 1];
	int len = snprintf(walk->path + at, sizeof(walk->path) - at, "/%s", entry->d_name);
	struct stat st;

	if (walk->dirs == CGROUP_SCAN_DIRS || len < 0 || at + (size_t)len >= sizeof(walk->path)) {
		walk->cut = true;
		return;
	}
	if (fstatat(dirfd(parent), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode))
		return;
	walk->dirs++;
	if (walk->seen(walk->ctx, st.st_ino, walk->path) && st.st_nlink > 2)
		enter(walk, dirfd(parent), entry->d_name, at + (size_t)len);
}

static void step(struct walk *walk)
{
	DIR *dir = walk->dir[walk->depth - 1];
	const struct dirent *entry = readdir(dir);

	if (!entry) {
		closedir(dir);
		walk->depth--;
	} else if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
		   strcmp(entry->d_name, "..") != 0) {
		visit(walk, dir, entry);
	}
}

int cgroup_scan(const struct cgroup_mount *mount,
		bool (*seen)(void *ctx, uint64_t id, const char *path), void *ctx, struct err *err)
{
	struct walk walk = { .seen = seen, .ctx = ctx };
	struct stat st;

	enter(&walk, AT_FDCWD, mount->path, 0);
	if (walk.depth == 0 || fstat(dirfd(walk.dir[0]), &st) < 0)
		return err_set(err, -errno, "%s: %s", mount->path, strerror(errno));
	(void)seen(ctx, st.st_ino, "/");
	while (walk.depth > 0)
		step(&walk);
	return !walk.cut;
}
