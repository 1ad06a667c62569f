/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_CGROUP_CGROUP_MOUNT_H
#define AGENT_CORE_CGROUP_CGROUP_MOUNT_H

/* Where the cgroup tree is mounted, from the text of /proc/self/mountinfo.  Pure. */

#include "lib/core/base.h"
#include "lib/core/err.h"

struct cgroup_mount {
	char *path;
	bool v1; /* the memory controller's hierarchy: there is no cgroup2 */
};

void cgroup_mount_release(struct cgroup_mount *mount);

/* cgroup2 before v1's memory controller; a mount of the whole tree before one of a part; the first of equals.
 * -ENOENT with err saying what to mount when there is none. */
must_check int cgroup_mount_parse(const char *mountinfo, struct cgroup_mount *ret_mount,
				  struct err *err);

#endif
