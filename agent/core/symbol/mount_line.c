/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/mount_line.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define HEAD_BYTES 64 /* the numbers in front */

/* ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG...] - TYPE SOURCE OPTIONS; no field has a space in it. */
bool mount_line_parse(const char *line, size_t len, struct mount_line *ret_line)
{
	const char *mark = memmem(line, len, " - ", 3), *type;
	unsigned long long id;
	unsigned int major_nr, minor_nr;
	char head[HEAD_BYTES];
	size_t type_len;

	if (!mark)
		return false;
	snprintf(head, sizeof(head), "%.*s", (int)MIN(len, sizeof(head)), line);
	if (sscanf(head, "%llu %*u %u:%u ", &id, &major_nr, &minor_nr) != 3)
		return false;
	type = mark + 3;
	for (type_len = 0; type + type_len < line + len; type_len++)
		if (memchr(" \n", type[type_len], sizeof(" \n")))
			break;
	if (type_len == 0)
		return false;
	*ret_line = (struct mount_line){ .id = id, .dev = makedev(major_nr, minor_nr) };
	memcpy(ret_line->type, type, MIN(type_len, sizeof(ret_line->type) - 1));
	return true;
}

bool mount_type_may_block(const char *type)
{
	static const char *const served[] = { "fuse",	"virtiofs", "nfs",   "cifs",
					      "smb",	"ceph",	    "9p",    "afs",
					      "coda",	"lustre",   "gpfs",  "glusterfs",
					      "beegfs", "gfs2",	    "ocfs2", "orangefs" };

	for (size_t i = 0; i < ARRAY_SIZE(served); i++)
		if (strncmp(type, served[i], strlen(served[i])) == 0)
			return true;
	return false;
}
