/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sink/sink_retain.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LEVELS 3 /* NAMESPACE/POD/CONTAINER */
#define NAME_BYTES 256
#define BLOCK_BYTES 512 /* of st_blocks, on every file system */

struct old_file {
	int64_t size;
	char *path; /* from the sink's directory */
	const char *name;
};

struct sink_retain {
	int dir;
	DIR *open[LEVELS + 1]; /* from the sink's directory down to where we are */
	int level;
	char name[LEVELS][NAME_BYTES]; /* of those below the first */
	time_t since_s;
	long since_ns;
	int64_t bytes;
	struct old_file
		*file; /* the oldest seen: a heap with the youngest of them on top; later sorted */
	size_t nr, next; /* next: to be deleted */
	bool sorted;
};

/* --- names --- */

/* 'd' is a digit, all others are themselves. */
static bool has_shape(const char **text, const char *shape)
{
	for (; *shape; shape++, (*text)++)
		if (*shape == 'd' ? **text < '0' || **text > '9' : **text != *shape)
			return false;
	return true;
}

bool sink_name_is_ours(const char *name)
{
	bool half = name[0] == '.';
	size_t id;

	name += half;
	if (!has_shape(&name, "ddddddddTdddddd.dddZ-"))
		return false;
	id = strspn(name, "0123456789abcdef");
	if (id && name[id] == '-')
		name += id + 1;
	id = strspn(name, "0123456789");
	return id && strcmp(name + id, half ? "hz.pb.gz.tmp" : "hz.pb.gz") == 0;
}

static const char *time_of(const char *name)
{
	return name + (name[0] == '.');
}

/* --- the oldest --- */

static void swap(struct old_file *a, struct old_file *b)
{
	struct old_file kept = *a;

	*a = *b;
	*b = kept;
}

static bool younger(const struct old_file *a, const struct old_file *b)
{
	int order = strcmp(time_of(a->name), time_of(b->name));

	return order ? order > 0 : strcmp(a->path, b->path) > 0;
}

static void sift_up(struct sink_retain *retain, size_t at)
{
	struct old_file *file = retain->file;

	for (; at && younger(&file[at], &file[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&file[at], &file[(at - 1) / 2]);
}

static void sift_down(struct sink_retain *retain)
{
	for (size_t at = 0;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < retain->nr &&
		    younger(&retain->file[child + 1], &retain->file[child]))
			child++;
		if (child >= retain->nr || younger(&retain->file[at], &retain->file[child]))
			return;
		swap(&retain->file[at], &retain->file[child]);
		at = child;
	}
}

static void offer(struct sink_retain *retain, const char *name, int64_t size)
{
	struct old_file file = {
		.size = size,
		.path = xasprintf("%s/%s/%s/%s", retain->name[0], retain->name[1], retain->name[2],
				  name),
	};

	file.name = strrchr(file.path, '/') + 1;
	if (retain->nr < SINK_RETAIN_BATCH) {
		GROW(retain->file, retain->nr);
		retain->file[retain->nr++] = file;
		sift_up(retain, retain->nr - 1);
		return;
	}
	if (younger(&retain->file[0], &file)) {
		swap(&retain->file[0], &file);
		sift_down(retain);
	}
	free(file.path);
}

static int by_age(const void *left, const void *right)
{
	const struct old_file *a = left, *b = right;

	return younger(a, b) ? 1 : younger(b, a) ? -1 : 0;
}

/* --- looking --- */

static DIR *open_below(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

struct sink_retain *sink_retain_new(int dir)
{
	struct sink_retain *retain;
	struct timespec now;
	DIR *open = open_below(dir, ".");

	if (!open)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	retain = xcalloc(1, sizeof(*retain));
	retain->dir = dir;
	retain->open[0] = open;
	retain->since_s = now.tv_sec;
	retain->since_ns = now.tv_nsec;
	return retain;
}

void sink_retain_free(struct sink_retain *retain)
{
	if (!retain)
		return;
	for (int i = 0; i <= retain->level; i++)
		closedir(retain->open[i]);
	for (size_t i = retain->next; i < retain->nr; i++)
		free(retain->file[i].path);
	free(retain->file);
	free(retain);
}

static bool is_newer(const struct sink_retain *retain, const struct stat *st)
{
	if (st->st_ctim.tv_sec != retain->since_s)
		return st->st_ctim.tv_sec > retain->since_s;
	return st->st_ctim.tv_nsec > retain->since_ns;
}

static void look_at_file(struct sink_retain *retain, const char *name)
{
	struct stat st;

	if (!sink_name_is_ours(name) ||
	    fstatat(dirfd(retain->open[LEVELS]), name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode) || is_newer(retain, &st))
		return;
	retain->bytes += st.st_blocks * BLOCK_BYTES;
	offer(retain, name, st.st_blocks * BLOCK_BYTES);
}

static void go_down(struct sink_retain *retain, const struct dirent *entry)
{
	DIR *below;

	if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
		return;
	below = open_below(dirfd(retain->open[retain->level]), entry->d_name);
	if (!below)
		return;
	memcpy(retain->name[retain->level], entry->d_name, strlen(entry->d_name) + 1);
	retain->open[++retain->level] = below;
}

bool sink_retain_look(struct sink_retain *retain, size_t nr)
{
	for (; nr && !retain->sorted; nr--) {
		const struct dirent *entry = readdir(retain->open[retain->level]);

		if (entry && retain->level < LEVELS)
			go_down(retain, entry);
		else if (entry)
			look_at_file(retain, entry->d_name);
		else if (retain->level)
			closedir(retain->open[retain->level--]);
		else
			retain->sorted = true;
		if (retain->sorted && retain->nr)
			qsort(retain->file, retain->nr, sizeof(*retain->file), by_age);
	}
	return retain->sorted;
}

int64_t sink_retain_bytes(const struct sink_retain *retain)
{
	return retain->bytes;
}

/* --- deleting --- */

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

bool sink_retain_delete(struct sink_retain *retain, size_t nr, int64_t max_bytes, int64_t *bytes,
			uint64_t *deleted)
{
	for (; nr && retain->next<retain->nr && * bytes> max_bytes; nr--) {
		struct old_file *file = &retain->file[retain->next++];

		if (unlinkat(retain->dir, file->path, 0) == 0) {
			*bytes -= file->size;
			(*deleted)++;
			prune(retain->dir, file->path);
		}
		free(file->path);
	}
	return retain->next == retain->nr || *bytes <= max_bytes;
}
