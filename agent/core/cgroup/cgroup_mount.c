/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/cgroup/cgroup_mount.h"

#include <errno.h>
#include <string.h>

#define FIELDS_MAX 24

void cgroup_mount_release(struct cgroup_mount *mount)
{
	free(mount->path);
	mount->path = NULL;
}

static size_t split(char *line, char *field[FIELDS_MAX])
{
	size_t nr = 0;
	char *rest = line;

	while (nr < FIELDS_MAX && rest)
		field[nr++] = strsep(&rest, " ");
	return nr;
}

static bool has_option(const char *options, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = options; *at;) {
		size_t part = strcspn(at, ",");

		if (part == len && strncmp(at, name, len) == 0)
			return true;
		at += part + (at[part] == ',');
	}
	return false;
}

/* The kernel writes space, tab, newline and backslash as \OOO. */
static char *unescape(const char *text)
{
	char *path = xmalloc(strlen(text) + 1);
	size_t n = 0;

	while (*text) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			path[n++] = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
					   (text[3] - '0'));
			text += 4;
		} else {
			path[n++] = *text++;
		}
	}
	path[n] = '\0';
	return path;
}

/* How well the mount serves: 0 = not at all. */
static int rank(char *const *field, size_t nr, size_t *ret_type)
{
	size_t sep = 6;
	int whole;

	while (sep < nr && strcmp(field[sep], "-") != 0)
		sep++;
	if (sep + 3 >= nr)
		return 0;
	whole = strcmp(field[3], "/") == 0;
	*ret_type = sep + 1;
	if (strcmp(field[sep + 1], "cgroup2") == 0)
		return 3 + whole;
	if (strcmp(field[sep + 1], "cgroup") == 0 && has_option(field[sep + 3], "memory"))
		return 1 + whole;
	return 0;
}

int cgroup_mount_parse(const char *mountinfo, struct cgroup_mount *ret_mount, struct err *err)
{
	cleanup(freep) char *text = xstrdup(mountinfo);
	char *rest = text;
	char *best = NULL;
	int best_rank = 0;

	while (rest) {
		char *line = strsep(&rest, "\n");
		char *field[FIELDS_MAX];
		size_t type, nr = split(line, field);
		int this_rank = rank(field, nr, &type);

		if (this_rank > best_rank) {
			best_rank = this_rank;
			best = field[4];
		}
	}
	if (!best)
		return err_set(err, -ENOENT,
			       "no cgroup2 file system is mounted; mount the host's /sys/fs/cgroup "
			       "into the container, or name it with --cgroup-root");
	ret_mount->path = unescape(best);
	ret_mount->v1 = best_rank <= 2;
	return 0;
}
