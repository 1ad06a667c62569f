/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sink/sink_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/sink/sink_retain.h"
#include "lib/core/text/utf8.h"
#include "lib/fs.h"
#include "lib/log.h"

#define COMPONENT_BYTES 200 /* of a directory's name */
#define ID_CHARS 12
#define SAME_NAME_MAX 64 /* profiles that would have one name, each has its own */
#define BLOCK_BYTES 512	 /* of st_blocks, on every file system */

/* What one write does for retention, and the first of them at the start. */
#define LOOKS_PER_WRITE 512
#define LOOKS_AT_START 8192
#define DELETES_PER_WRITE 64

struct sink_file {
	char *dir;
	int fd; /* -1 = the directory is gone */
	dev_t dev;
	ino_t ino;
	int64_t max_bytes;
	struct sink_retain *round; /* of looking and deleting, under way; NULL = none */
	bool counted;		   /* it has looked at all */
	int64_t since_bytes;	   /* written since it began */
	struct sink_file_stats stats;
};

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* --- the directory --- */

static void begin_round(struct sink_file *sink)
{
	sink->round = sink_retain_new(sink->fd);
	sink->counted = false;
	sink->since_bytes = 0;
}

/* A tenth more than needed is deleted, so that not every write looks through the whole directory. */
static void retain(struct sink_file *sink, size_t looks)
{
	if (!sink->round && sink->stats.bytes > sink->max_bytes)
		begin_round(sink);
	if (!sink->round || !sink_retain_look(sink->round, looks))
		return;
	if (!sink->counted)
		sink->stats.bytes = sink_retain_bytes(sink->round) + sink->since_bytes;
	if (!sink->counted && sink->stats.bytes <= sink->max_bytes) {
		sink_retain_free(TAKE_PTR(sink->round));
		return;
	}
	sink->counted = true;
	if (sink_retain_delete(sink->round, DELETES_PER_WRITE,
			       sink->max_bytes - sink->max_bytes / 10, &sink->stats.bytes,
			       &sink->stats.deleted))
		sink_retain_free(TAKE_PTR(sink->round));
}

static void close_dir(struct sink_file *sink)
{
	sink_retain_free(TAKE_PTR(sink->round));
	if (sink->fd >= 0)
		close(sink->fd);
	sink->fd = -1;
	sink->stats.bytes = 0;
}

static int open_top(struct sink_file *sink, struct err *err)
{
	struct stat st;
	int r = fs_mkdir_all(sink->dir, 0755, err);

	if (r < 0)
		return err_wrap(err, r, "cannot make %s", sink->dir);
	sink->fd = open(sink->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sink->fd < 0 || fstat(sink->fd, &st) < 0)
		return err_set(err, -errno, "cannot open %s: %s", sink->dir, strerror(errno));
	sink->dev = st.st_dev;
	sink->ino = st.st_ino;
	begin_round(sink);
	retain(sink, LOOKS_AT_START);
	return 0;
}

/* It may have been removed, moved away by who rotates it, or have had a volume mounted over it: what is written into the
 * old one then nobody sees. */
static int follow(struct sink_file *sink, struct err *err)
{
	struct stat st;

	if (sink->fd >= 0) {
		if (stat(sink->dir, &st) == 0 && st.st_dev == sink->dev && st.st_ino == sink->ino)
			return 0;
		log_warn("the sink's directory is another one now, going on in that",
			 LOG_STR("dir", sink->dir));
		close_dir(sink);
	}
	return open_top(sink, err);
}

int sink_file_new(const struct sink_file_options *options, struct sink_file **ret_sink,
		  struct err *err)
{
	struct sink_file *sink = xcalloc(1, sizeof(*sink));
	int r;

	sink->dir = xstrdup(options->dir);
	sink->fd = -1;
	sink->max_bytes = options->max_bytes > 0 ? options->max_bytes : SINK_FILE_MAX_BYTES;
	r = open_top(sink, err);
	if (r < 0) {
		sink_file_free(sink);
		return r;
	}
	*ret_sink = sink;
	return 0;
}

void sink_file_free(struct sink_file *sink)
{
	if (!sink)
		return;
	close_dir(sink);
	free(sink->dir);
	free(sink);
}

void sink_file_stats(const struct sink_file *sink, struct sink_file_stats *ret_stats)
{
	*ret_stats = sink->stats;
}

/* --- one file --- */

/* One name of a path out of a name of somebody else's: no '/', no leading '.', not empty. */
static void component(const char *text, char out[COMPONENT_BYTES + 1])
{
	size_t len =
		utf8_clean(text ? text : "", text ? strlen(text) : 0, out, COMPONENT_BYTES + 1);

	for (size_t i = 0; i < len; i++)
		if (out[i] == '/' || (i == 0 && out[i] == '.'))
			out[i] = '_';
	if (len == 0)
		memcpy(out, "_", 2);
}

/* "0123456789ab-", or "" when it has no id.  A container that was restarted has another one.  The nr-th of a name has its
 * number behind that. */
static void short_id(const char *cid, unsigned int nr, char *out, size_t size)
{
	size_t len = cid ? strspn(cid, "0123456789abcdef") : 0;
	int id_len = len > 0 && !cid[len] ? ID_CHARS : 0;

	if (nr > 0)
		snprintf(out, size, "%.*s%x-", id_len, cid ? cid : "", nr);
	else if (id_len)
		snprintf(out, size, "%.*s-", id_len, cid);
	else
		out[0] = '\0';
}

static void file_name(const struct profile_meta *meta, unsigned int nr, char *out, size_t size)
{
	char id[ID_CHARS + 16];
	time_t second = (time_t)(meta->start_ns / NSEC_PER_SEC);
	char day[32];
	struct tm tm;

	gmtime_r(&second, &tm);
	strftime(day, sizeof(day), "%Y%m%dT%H%M%S", &tm);
	short_id(meta->cid, nr, id, sizeof(id));
	snprintf(out, size, "%s.%03dZ-%s%" PRIu32 "hz.pb.gz", day,
		 (int)(meta->start_ns % NSEC_PER_SEC / NSEC_PER_MSEC), id, meta->rate_hz);
}

/* Open DIR/NAMESPACE/POD/CONTAINER, made if need be; never through a link.  Returns a descriptor. */
static int open_dir(const struct sink_file *sink, const struct profile_meta *meta, char *ret_path,
		    size_t size)
{
	const char *name[] = { meta->ns, meta->pod, meta->container };
	cleanup(closep) int fd = dup(sink->fd);
	size_t len = 0;

	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(name); i++) {
		char part[COMPONENT_BYTES + 1];
		int next;

		component(name[i], part);
		len += (size_t)snprintf(ret_path + len, size - len, "%s/", part);
		if (mkdirat(fd, part, 0755) < 0 && errno != EEXIST)
			return -errno;
		next = openat(fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return -errno;
		close(fd);
		fd = next;
	}
	return fd < 0 ? -errno : dup(fd);
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t nr = write(fd, data, len);

		if (nr < 0)
			return -errno;
		data += nr;
		len -= (size_t)nr;
	}
	return 0;
}

/* Beside, then renamed: a reader never sees half a file. */
static int write_file(int dir, const char *name, const uint8_t *data, size_t len,
		      int64_t *ret_bytes)
{
	cleanup(closep) int fd = -1;
	struct stat st = { 0 };
	char temp[128];
	int r;

	snprintf(temp, sizeof(temp), ".%s.tmp", name);
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r == 0 && renameat(dir, temp, dir, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir, temp, 0);
	else
		*ret_bytes = st.st_blocks * BLOCK_BYTES;
	return r;
}

/* A name that is not taken: containers without an id (a pod's own cgroup, of a pod and of the one that came in its place) may
 * have all else in common. */
static int free_name(int dir, const struct profile_meta *meta, char *out, size_t size)
{
	struct stat st;

	for (unsigned int nr = 0; nr < SAME_NAME_MAX; nr++) {
		file_name(meta, nr, out, size);
		if (fstatat(dir, out, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return 0;
	}
	return -EEXIST;
}

int sink_file_write(struct sink_file *sink, const struct profile_meta *meta, const uint8_t *data,
		    size_t len, struct err *err)
{
	char path[3 * (COMPONENT_BYTES + 2)] = "", name[96];
	cleanup(closep) int dir = -1;
	int64_t bytes = 0;
	int r = follow(sink, err);

	if (r < 0) {
		sink->stats.failed++;
		return r;
	}
	r = dir = open_dir(sink, meta, path, sizeof(path));
	file_name(meta, 0, name, sizeof(name));
	if (dir >= 0)
		r = free_name(dir, meta, name, sizeof(name));
	if (r >= 0)
		r = write_file(dir, name, data, len, &bytes);
	if (r < 0) {
		sink->stats.failed++;
		return err_set(err, r, "cannot write %s/%s%s: %s", sink->dir, path, name,
			       strerror(-r));
	}
	sink->stats.written++;
	sink->stats.written_bytes += len;
	sink->stats.bytes += bytes;
	sink->since_bytes += bytes;
	retain(sink, LOOKS_PER_WRITE);
	return 0;
}
