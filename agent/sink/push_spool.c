/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sink/push_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/core/push/push_record.h"
#include "lib/fs.h"

#define BLOCK_BYTES 512 /* of st_blocks, on every file system */
#define TEMP_TAIL ".tmp"
#define TEMP_NAME (PUSH_FILE_NAME + 8)

struct push_spool {
	char *path;
	int fd;
};

struct found {
	char ns[PUSH_FILE_NAME];
	int64_t start_ns;
	uint64_t seq;
	size_t bytes;
};

static void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void temp_name(const char *name, char out[TEMP_NAME])
{
	snprintf(out, TEMP_NAME, ".%s" TEMP_TAIL, name);
}

static int take_dir(int fd, const char *path, struct err *err)
{
	if (faccessat(fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) < 0)
		return err_set(err, -errno, "cannot write into %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, -EBUSY, "%s is used by another agent", path);
	return 0;
}

int push_spool_open(const char *dir, const char *name, struct push_spool **ret_spool,
		    struct err *err)
{
	cleanup(freep) char *path = xasprintf("%s/%s", dir, name);
	int fd, r = fs_mkdir_all(path, 0700, err);

	if (r < 0)
		return err_wrap(err, r, "cannot make %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
	r = take_dir(fd, path, err);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_spool = xcalloc(1, sizeof(**ret_spool));
	(*ret_spool)->path = TAKE_PTR(path);
	(*ret_spool)->fd = fd;
	return 0;
}

void push_spool_free(struct push_spool *spool)
{
	if (!spool)
		return;
	close(spool->fd);
	free(spool->path);
	free(spool);
}

/* --- what is there --- */

/* ".NAME.tmp" of ours, half-written when we ended. */
static bool is_half(const char *name)
{
	size_t len = strlen(name), tail = sizeof(TEMP_TAIL) - 1;
	cleanup(freep) char *inner = NULL;
	char ns[PUSH_FILE_NAME];
	int64_t start_ns;
	uint64_t seq;

	if (name[0] != '.' || len < tail + 1 || strcmp(name + len - tail, TEMP_TAIL) != 0)
		return false;
	inner = xstrndup(name + 1, len - tail - 1);
	return push_file_parse(inner, ns, &start_ns, &seq);
}

static bool look(const struct push_spool *spool, const char *name, struct found *ret_found)
{
	struct stat st;

	if (is_half(name))
		unlinkat(spool->fd, name, 0);
	if (!push_file_parse(name, ret_found->ns, &ret_found->start_ns, &ret_found->seq) ||
	    fstatat(spool->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	ret_found->bytes = (size_t)st.st_blocks * BLOCK_BYTES;
	return true;
}

static int by_seq(const void *a, const void *b)
{
	const struct found *x = *(const struct found *const *)a;
	const struct found *y = *(const struct found *const *)b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* The pointers to what was found, for sorting; both are the caller's. */
static struct found **list(const struct push_spool *spool, size_t *ret_nr)
{
	int fd = openat(spool->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct found **all = NULL, found;
	const struct dirent *entry;
	size_t nr = 0;

	while (dir && (entry = readdir(dir))) {
		if (!look(spool, entry->d_name, &found))
			continue;
		GROW(all, nr);
		all[nr] = xmalloc(sizeof(found));
		*all[nr++] = found;
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	*ret_nr = nr;
	return all;
}

void push_spool_each(struct push_spool *spool,
		     void (*found)(void *ctx, const char *ns, int64_t start_ns, uint64_t seq,
				   size_t bytes),
		     void *ctx)
{
	size_t nr;
	struct found **all = list(spool, &nr);

	if (nr)
		qsort(all, nr, sizeof(struct found *), by_seq);
	for (size_t i = 0; i < nr; i++) {
		found(ctx, all[i]->ns, all[i]->start_ns, all[i]->seq, all[i]->bytes);
		free(all[i]);
	}
	free(all);
}

/* --- one file --- */

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t nr = write(fd, data, len);

		if (nr < 0 && errno == EINTR)
			continue;
		if (nr < 0)
			return -errno;
		data += nr;
		len -= (size_t)nr;
	}
	return 0;
}

int64_t push_spool_write(struct push_spool *spool, const struct push_spool_key *key,
			 const uint8_t *data, size_t len, struct err *err)
{
	char name[PUSH_FILE_NAME], temp[TEMP_NAME];
	cleanup(closep) int fd = -1;
	struct stat st = { 0 };
	int r = 0;

	push_file_name(key->ns, key->start_ns, key->seq, name);
	temp_name(name, temp);
	fd = openat(spool->fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		r = -errno;
	if (r == 0)
		r = write_all(fd, data, len);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r == 0 && renameat(spool->fd, temp, spool->fd, name) < 0)
		r = -errno;
	if (r == 0)
		return MAX((int64_t)st.st_blocks * BLOCK_BYTES, (int64_t)len);
	if (fd >= 0)
		unlinkat(spool->fd, temp, 0);
	return err_set(err, r, "cannot write %s/%s: %s", spool->path, name, strerror(-r));
}

static int read_all(int fd, uint8_t *data, size_t len)
{
	while (len) {
		ssize_t nr = read(fd, data, len);

		if (nr < 0 && errno == EINTR)
			continue;
		if (nr <= 0)
			return nr < 0 ? -errno : -EIO;
		data += nr;
		len -= (size_t)nr;
	}
	return 0;
}

int push_spool_read(struct push_spool *spool, const struct push_spool_key *key, uint8_t **ret_data,
		    size_t *ret_len, struct err *err)
{
	cleanup(freep) uint8_t *data = NULL;
	char name[PUSH_FILE_NAME];
	cleanup(closep) int fd = -1;
	struct stat st = { 0 };
	int r = 0;

	push_file_name(key->ns, key->start_ns, key->seq, name);
	fd = openat(spool->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > (off_t)PUSH_RECORD_BYTES)
		r = -EFBIG;
	if (r == 0) {
		data = xmalloc((size_t)st.st_size + 1);
		r = read_all(fd, data, (size_t)st.st_size);
	}
	if (r < 0)
		return err_set(err, r, "cannot read %s/%s: %s", spool->path, name, strerror(-r));
	*ret_data = TAKE_PTR(data);
	*ret_len = (size_t)st.st_size;
	return 0;
}

void push_spool_remove(struct push_spool *spool, const struct push_spool_key *key)
{
	char name[PUSH_FILE_NAME];

	push_file_name(key->ns, key->start_ns, key->seq, name);
	unlinkat(spool->fd, name, 0);
}
