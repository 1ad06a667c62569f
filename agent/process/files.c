/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/process/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/core/profile/profile.h"
#include "agent/process/mounts.h"
#include "lib/core/sorted.h"
#include "lib/core/text/encode.h"
#include "lib/core/text/utf8.h"

struct files {
	struct file *file[FILES_MAX]; /* by id */
	size_t nr;
	size_t open;
	uint32_t next_id;
	uint64_t clock;
	uint64_t refused;
};

struct files *files_new(void)
{
	struct files *files = xcalloc(1, sizeof(*files));

	files->next_id = FRAME_FILES;
	return files;
}

static void file_close(struct files *files, struct file *file)
{
	if (file->fd < 0)
		return;
	close(file->fd);
	file->fd = -1;
	files->open--;
}

static void file_free(struct files *files, struct file *file)
{
	file_close(files, file);
	free(file->name);
	free(file->build_id);
	free(file);
}

void files_free(struct files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < files->nr; i++)
		file_free(files, files->file[i]);
	free(files);
}

size_t files_nr(const struct files *files)
{
	return files->nr;
}

uint64_t files_refused(const struct files *files)
{
	return files->refused;
}

static int compare_id(const void *key, const void *element)
{
	uint32_t id = *(const uint32_t *)key;
	const struct file *file = *(struct file *const *)element;

	return id < file->id ? -1 : id > file->id;
}

struct file *files_find(struct files *files, uint32_t id)
{
	struct file **found =
		sorted_find(&id, files->file, files->nr, sizeof(*files->file), compare_id);

	return found ? *found : NULL;
}

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* The mapping's own link reaches the file even when it was deleted or replaced. */
static int open_map_file(const struct file_place *place)
{
	char path[96];

	snprintf(path, sizeof(path), "%" PRIu32 "/map_files/%" PRIx64 "-%" PRIx64, place->tgid,
		 place->line->start, place->line->end);
	return openat(place->proc_fd, path, O_PATH | O_CLOEXEC);
}

/* By path inside the process's root, for want of CAP_CHECKPOINT_RESTORE; it must still be the same file. */
static int open_by_path(const struct file_place *place)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	cleanup(closep) int root = -1;
	struct statx st;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "%" PRIu32 "/root", place->tgid);
	root = openat(place->proc_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, root, place->line->path, &how, sizeof(how));
	if (fd >= 0 && statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st) == 0 &&
	    st.stx_ino == place->line->ino &&
	    makedev(st.stx_dev_major, st.stx_dev_minor) == place->line->dev)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Another time it may do. */
static bool is_transient(int code)
{
	return code == EMFILE || code == ENFILE || code == ENOMEM || code == EINTR;
}

static int reopen_for_reading(int path_fd)
{
	char link[48];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	return open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* What tells this file from another; from the descriptor without asking a server. */
static bool identify(int path_fd, const struct procmap_line *line, struct file *ret_file)
{
	struct statx st;

	*ret_file = (struct file){ .fd = -1, .dev = line->dev, .ino = line->ino };
	if (path_fd < 0 || statx(path_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
				 STATX_TYPE | STATX_SIZE | STATX_MTIME, &st) < 0)
		return false;
	ret_file->size = st.stx_size;
	ret_file->mtime_ns = st.stx_mtime.tv_sec * NSEC_PER_SEC + st.stx_mtime.tv_nsec;
	return S_ISREG(st.stx_mode);
}

static struct file *find_known(const struct files *files, const struct file *key)
{
	for (size_t i = 0; i < files->nr; i++) {
		struct file *file = files->file[i];

		if (file->ino == key->ino && file->dev == key->dev && file->size == key->size &&
		    file->mtime_ns == key->mtime_ns)
			return file;
	}
	return NULL;
}

static struct file *add_file(struct files *files, const struct file *key,
			     const struct procmap_line *line)
{
	struct file *file = xmalloc(sizeof(*file));
	char name[PROCMAP_PATH_BYTES + 1];

	utf8_clean(line->path, line->path_len, name, sizeof(name));
	*file = *key;
	file->id = files->next_id++;
	file->name = xstrdup(name);
	files->file[files->nr++] = file;
	return file;
}

static void close_oldest(struct files *files)
{
	struct file *oldest = NULL;

	for (size_t i = 0; i < files->nr; i++)
		if (files->file[i]->fd >= 0 && (!oldest || files->file[i]->used < oldest->used))
			oldest = files->file[i];
	if (oldest)
		file_close(files, oldest);
}

static int file_open(struct files *files, struct file *file, int path_fd)
{
	if (files->open >= FILES_OPEN)
		close_oldest(files);
	file->fd = reopen_for_reading(path_fd);
	if (file->fd < 0)
		return -errno;
	files->open++;
	return 0;
}

/* Open it if it is not, and may be.  path_fd -1: it may not.  A process that is gone cannot tell whether. */
static int file_ready(struct files *files, struct file *file, const struct file_place *place,
		      int path_fd)
{
	int r = 1;

	if (file->fd >= 0 || file->refused)
		return 0;
	if (path_fd >= 0)
		r = mounts_may_block(place->proc_fd, place->tgid, path_fd);
	if (r < 0)
		return r;
	if (r == 0)
		r = file_open(files, file, path_fd);
	if (r < 0 && is_transient(-r))
		return r;
	if (r) {
		file->refused = true;
		files->refused++;
	}
	return 0;
}

int files_get(struct files *files, const struct file_place *place, uint32_t *ret_id)
{
	cleanup(closep) int path_fd = open_map_file(place);
	struct file key, *file;
	bool regular;

	if (path_fd < 0 && (errno == EPERM || errno == EACCES))
		path_fd = open_by_path(place);
	if (path_fd < 0 && is_transient(errno))
		return -errno;
	*ret_id = FRAME_NAMED;
	regular = identify(path_fd, place->line, &key);
	file = find_known(files, &key);
	if (!file && files->nr >= FILES_MAX)
		return 0;
	if (!file)
		file = add_file(files, &key, place->line);
	file->used = ++files->clock;
	*ret_id = file->id;
	return file_ready(files, file, place, regular ? path_fd : -1);
}

void files_tell(struct files *files, uint32_t id, uint64_t cgroup, dev_t dev, uint64_t ino)
{
	struct file *file = files_find(files, id);

	if (!file || (file->ino == ino && file->dev == dev))
		return;
	file->told.cgroup = cgroup;
	file->told.dev = dev;
	file->told.ino = ino;
}

/* Our descriptor keeps the inode from being given to another file; what is left is a change in place. */
static bool unchanged(const struct file *file)
{
	struct statx st;

	return statx(file->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_SIZE | STATX_MTIME,
		     &st) == 0 &&
	       st.stx_size == file->size &&
	       st.stx_mtime.tv_sec * NSEC_PER_SEC + st.stx_mtime.tv_nsec == file->mtime_ns;
}

static bool is_called(const struct file *file, uint64_t cgroup, dev_t dev, uint64_t ino)
{
	if (file->ino == ino && file->dev == dev)
		return true;
	return file->told.ino == ino && file->told.dev == dev && file->told.cgroup == cgroup;
}

uint32_t files_held(struct files *files, uint64_t cgroup, dev_t dev, uint64_t ino)
{
	for (size_t i = files->nr; i > 0; i--) {
		struct file *file = files->file[i - 1];

		if (!is_called(file, cgroup, dev, ino) || file->fd < 0 || !unchanged(file))
			continue;
		file->used = ++files->clock;
		return file->id;
	}
	return FRAME_NAMED;
}

static ssize_t read_file(void *ctx, void *buf, size_t len, uint64_t offset)
{
	ssize_t nr = pread(*(const int *)ctx, buf, len, (off_t)offset);

	return nr < 0 ? -errno : nr;
}

struct elf_source files_source(struct file *file)
{
	return (struct elf_source){ .read = read_file, .ctx = &file->fd };
}

bool files_parse(struct files *files, struct file *file)
{
	struct elf_source source = files_source(file);

	if (file->fd < 0 || file->refused)
		return false;
	file->used = ++files->clock;
	if (file->parsed)
		return true;
	if (elf_open(&source, &file->elf, NULL) < 0) {
		file->refused = true;
		files->refused++;
		file_close(files, file);
		return false;
	}
	file->parsed = true;
	if (file->elf.build_id_len) {
		file->build_id = xmalloc(2 * file->elf.build_id_len + 1);
		hex_encode(file->elf.build_id, file->elf.build_id_len, file->build_id);
	}
	return true;
}

void files_sweep(struct files *files)
{
	size_t kept = 0;

	for (size_t i = 0; i < files->nr; i++) {
		struct file *file = files->file[i];

		if (!file->mapped) {
			file_free(files, file);
			continue;
		}
		file->mapped = false;
		files->file[kept++] = file;
	}
	files->nr = kept;
}
