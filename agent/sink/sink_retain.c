/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sink/sink_retain.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEVELS 3 /* NAMESPACE/POD/CONTAINER */
#define NAME_SUFFIX ".pb.gz"

struct old_file {
	int64_t size;
	char *path; /* from the sink's directory */
	const char *name;
};

/* The oldest files seen so far: a heap with the youngest of them on top. */
struct scan {
	int64_t bytes;
	struct old_file *file;
	size_t nr;
	bool collect;
};

static void swap(struct old_file *a, struct old_file *b)
{
	struct old_file kept = *a;

	*a = *b;
	*b = kept;
}

static bool younger(const struct old_file *a, const struct old_file *b)
{
	int order = strcmp(a->name, b->name);

	return order ? order > 0 : strcmp(a->path, b->path) > 0;
}

static void sift_up(struct scan *scan, size_t at)
{
	for (; at && younger(&scan->file[at], &scan->file[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&scan->file[at], &scan->file[(at - 1) / 2]);
}

static void sift_down(struct scan *scan)
{
	for (size_t at = 0;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < scan->nr && younger(&scan->file[child + 1], &scan->file[child]))
			child++;
		if (child >= scan->nr || younger(&scan->file[at], &scan->file[child]))
			return;
		swap(&scan->file[at], &scan->file[child]);
		at = child;
	}
}

static void offer(struct scan *scan, const char *dir_path, const char *name, int64_t size)
{
	struct old_file file = { .size = size, .path = xasprintf("%s/%s", dir_path, name) };

	file.name = file.path + strlen(dir_path) + 1;
	if (scan->nr < SINK_RETAIN_BATCH) {
		GROW(scan->file, scan->nr);
		scan->file[scan->nr++] = file;
		sift_up(scan, scan->nr - 1);
		return;
	}
	if (younger(&scan->file[0], &file)) {
		swap(&scan->file[0], &file);
		sift_down(scan);
	}
	free(file.path);
}

static bool is_profile(const char *name)
{
	size_t len = strlen(name), suffix = sizeof(NAME_SUFFIX) - 1;

	return name[0] != '.' && len > suffix && strcmp(name + len - suffix, NAME_SUFFIX) == 0;
}

/* Depth is bounded by LEVELS. */
static void walk(struct scan *scan, int parent, const char *name, const char *path, int level)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir && fd >= 0)
		close(fd);
	while (dir && (entry = readdir(dir)) != NULL) {
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (level < LEVELS) {
			cleanup(freep) char *below = xasprintf("%s/%s", path, entry->d_name);

			walk(scan, dirfd(dir), entry->d_name, level ? below : entry->d_name,
			     level + 1);
		} else if (is_profile(entry->d_name) &&
			   fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			scan->bytes += st.st_size;
			if (scan->collect)
				offer(scan, path, entry->d_name, st.st_size);
		}
	}
	if (dir)
		closedir(dir);
}

static int by_age(const void *left, const void *right)
{
	const struct old_file *a = left, *b = right;

	return younger(a, b) ? 1 : younger(b, a) ? -1 : 0;
}

/* Remove the directories that this file was the last in. */
static void prune(int dir, char *path)
{
	char *slash;

	while ((slash = strrchr(path, '/')) != NULL) {
		*slash = '\0';
		if (unlinkat(dir, path, AT_REMOVEDIR) < 0)
			return;
	}
}

int64_t sink_retain(int dir, int64_t max_bytes, uint64_t *deleted)
{
	struct scan scan = { .collect = max_bytes < INT64_MAX };

	walk(&scan, dir, ".", "", 0);
	if (scan.nr)
		qsort(scan.file, scan.nr, sizeof(*scan.file), by_age);
	for (size_t i = 0; i < scan.nr; i++) {
		if (scan.bytes > max_bytes && unlinkat(dir, scan.file[i].path, 0) == 0) {
			scan.bytes -= scan.file[i].size;
			if (deleted)
				(*deleted)++;
			prune(dir, scan.file[i].path);
		}
		free(scan.file[i].path);
	}
	free(scan.file);
	return scan.bytes;
}
