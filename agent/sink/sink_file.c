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

#define COMPONENT_BYTES 200 /* of a directory's name */

struct sink_file {
	char *dir;
	int fd;
	int64_t max_bytes;
	struct sink_file_stats stats;
};

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

int sink_file_new(const struct sink_file_options *options, struct sink_file **ret_sink,
		  struct err *err)
{
	struct sink_file *sink;
	int fd;

	if (mkdir(options->dir, 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make %s: %s", options->dir, strerror(errno));
	fd = open(options->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot open %s: %s", options->dir, strerror(errno));
	sink = xcalloc(1, sizeof(*sink));
	sink->dir = xstrdup(options->dir);
	sink->fd = fd;
	sink->max_bytes = options->max_bytes > 0 ? options->max_bytes : SINK_FILE_MAX_BYTES;
	sink->stats.bytes = sink_retain(fd, INT64_MAX, NULL);
	*ret_sink = sink;
	return 0;
}

void sink_file_free(struct sink_file *sink)
{
	if (!sink)
		return;
	close(sink->fd);
	free(sink->dir);
	free(sink);
}

void sink_file_stats(const struct sink_file *sink, struct sink_file_stats *ret_stats)
{
	*ret_stats = sink->stats;
}

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

static void file_name(const struct profile_meta *meta, char *out, size_t size)
{
	time_t second = (time_t)(meta->start_ns / NSEC_PER_SEC);
	char day[32];
	struct tm tm;

	gmtime_r(&second, &tm);
	strftime(day, sizeof(day), "%Y%m%dT%H%M%S", &tm);
	snprintf(out, size, "%s.%03dZ-%" PRIu32 "hz.pb.gz", day,
		 (int)(meta->start_ns % NSEC_PER_SEC / NSEC_PER_MSEC), meta->rate_hz);
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
static int write_file(int dir, const char *name, const uint8_t *data, size_t len)
{
	cleanup(closep) int fd = -1;
	char temp[96];
	int r;

	snprintf(temp, sizeof(temp), ".%s.tmp", name);
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (r == 0 && renameat(dir, temp, dir, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir, temp, 0);
	return r;
}

static void retain(struct sink_file *sink)
{
	if (sink->stats.bytes <= sink->max_bytes)
		return;
	/* A tenth more than needed, so that not every write looks through the whole directory. */
	sink->stats.bytes =
		sink_retain(sink->fd, sink->max_bytes - sink->max_bytes / 10, &sink->stats.deleted);
}

int sink_file_write(struct sink_file *sink, const struct profile_meta *meta, const uint8_t *data,
		    size_t len, struct err *err)
{
	char path[3 * (COMPONENT_BYTES + 2)] = "", name[80];
	cleanup(closep) int dir = open_dir(sink, meta, path, sizeof(path));
	int r = dir;

	file_name(meta, name, sizeof(name));
	if (dir >= 0)
		r = write_file(dir, name, data, len);
	if (r < 0) {
		sink->stats.failed++;
		return err_set(err, r, "cannot write %s/%s%s: %s", sink->dir, path, name,
			       strerror(-r));
	}
	sink->stats.written++;
	sink->stats.written_bytes += len;
	sink->stats.bytes += (int64_t)len;
	retain(sink);
	return 0;
}
