/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/hub/hub_epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/core/json.h"

#define EPOCH_BYTES 256

static int parse(const char *text, size_t len, struct control_epoch *ret, struct err *err)
{
	cleanup(json_decrefp) json_t *json = NULL;

	if (json_parse_bounded(text, len, 4, &json, err) < 0 ||
	    control_epoch_from_json(json, ret, err) < 0)
		return -EINVAL;
	if (ret->n == INT64_MAX)
		return err_set(err, -EINVAL, "n has run out");
	return 0;
}

static int load(const char *file, struct control_epoch *ret, struct err *err)
{
	char text[EPOCH_BYTES];
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len;
	int r;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_set(err, -errno, "%s", strerror(errno));
	len = read(fd, text, sizeof(text));
	r = len < 0 ? err_set(err, -errno, "%s", strerror(errno)) : 0;
	close(fd);
	return r < 0 ? r : parse(text, (size_t)len, ret, err);
}

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);
	ssize_t written = write(fd, text, len);

	if (written < 0)
		return -errno;
	if ((size_t)written < len)
		return -ENOSPC;
	return fsync(fd) < 0 ? -errno : 0;
}

static int store(const char *file, const struct control_epoch *epoch, struct err *err)
{
	cleanup(freep) char *fresh = xasprintf("%s.new", file);
	cleanup(freep) char *text = xasprintf("{\"epoch\":{\"t\":%lld,\"n\":%lld}}\n",
					      (long long)epoch->t, (long long)epoch->n);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_set(err, -errno, "%s", strerror(errno));
	r = write_all(fd, text);
	close(fd);
	if (r == 0 && rename(fresh, file) < 0)
		r = -errno;
	return r < 0 ? err_set(err, r, "%s", strerror(-r)) : 0;
}

int hub_epoch_next(const char *file, int64_t wall_s, struct control_epoch *ret, struct err *err)
{
	struct control_epoch epoch = { .t = wall_s };
	int r = file ? load(file, &epoch, err) : -ENOENT;

	if (r < 0 && r != -ENOENT)
		return err_wrap(err, r, "epoch file %s", file);
	epoch.n++;
	r = file ? store(file, &epoch, err) : 0;
	if (r < 0)
		return err_wrap(err, r, "epoch file %s", file);
	*ret = epoch;
	return 0;
}
