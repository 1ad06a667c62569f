/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Returns bytes read (up to `size`), or a negative errno. */
static ssize_t read_full(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t nr = read(fd, buf + len, size - len);

		if (nr < 0 && errno == EINTR)
			continue;
		if (nr < 0)
			return -errno;
		if (nr == 0)
			break;
		len += (size_t)nr;
	}
	return (ssize_t)len;
}

int fs_read_file(const char *path, size_t max, char **ret_buf, size_t *ret_len, struct err *err)
{
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	cleanup(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cleanup(freep) char *buf = NULL;
	struct stat st;
	size_t size;
	ssize_t len;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s: not a regular file", path);
	if (st.st_size > 0 && (uint64_t)st.st_size > max)
		return err_set(err, -EFBIG, "%s: larger than %zu bytes", path, max);
	/* Files of /proc say that they are empty; one byte more shows a file that has grown. */
	size = st.st_size ? (size_t)st.st_size : max;
	buf = xmalloc(size + 2);
	len = read_full(fd, buf, size + 1);
	if (len < 0)
		return err_set(err, (int)len, "%s: %s", path, strerror((int)-len));
	if ((size_t)len > max)
		return err_set(err, -EFBIG, "%s: larger than %zu bytes", path, max);
	if ((size_t)len > size)
		return err_set(err, -EAGAIN, "%s: grew while it was read", path);
	buf[len] = '\0';
	*ret_buf = TAKE_PTR(buf);
	*ret_len = (size_t)len;
	return 0;
}

static int write_full(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t nr = write(fd, buf, len);

		if (nr < 0 && errno == EINTR)
			continue;
		if (nr < 0)
			return -errno;
		buf += nr;
		len -= (size_t)nr;
	}
	return 0;
}

static int sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	cleanup(freep) char *dir =
		slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
	cleanup(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int fill(int fd, const void *buf, size_t len, mode_t mode, enum fs_sync sync)
{
	int r = write_full(fd, buf, len);

	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && sync == FS_SYNC && fsync(fd) < 0)
		r = -errno;
	return r;
}

int fs_write_file(const char *path, const void *buf, size_t len, mode_t mode, enum fs_sync sync,
		  struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	/* Hidden, so that whoever lists the directory does not take it for one of its files. */
	cleanup(freep) char *tmp = xasprintf("%.*s.%s.XXXXXX", (int)(name - path), path, name);
	cleanup(closep) int fd = mkostemp(tmp, O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	r = fill(fd, buf, len, mode, sync);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(tmp);
		return err_set(err, r, "%s: %s", path, strerror(-r));
	}
	r = sync == FS_SYNC ? sync_parent(path) : 0;
	return r < 0 ? err_set(err, r, "%s: %s", path, strerror(-r)) : 0;
}

int fs_mkdir_all(const char *path, mode_t mode, struct err *err)
{
	cleanup(freep) char *part = xstrdup(path);
	struct stat st;

	for (char *slash = part; slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return err_set(err, -errno, "%s: %s", part, strerror(errno));
		if (slash)
			*slash = '/';
	}
	if (stat(path, &st) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR, "%s: not a directory", path);
	return 0;
}
