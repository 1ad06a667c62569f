/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_KERNEL_CGROUP_SCAN_H
#define AGENT_KERNEL_CGROUP_SCAN_H

/* Walks the cgroup tree: the state at start, and the safety net for events that were lost. */

#include "agent/core/cgroup/cgroup_mount.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#define CGROUP_SCAN_DEPTH 64   /* nested directories */
#define CGROUP_SCAN_DIRS 65536 /* of one scan */

/* Find the tree: at `root` if that is not NULL (or in root/unified), else by /proc/self/mountinfo.  The caller releases
 * ret_mount.  A negative errno with err saying what to mount. */
must_check int cgroup_mount_find(const char *root, struct cgroup_mount *ret_mount, struct err *err);

/* Call `seen` for each directory, parents first; `path` is from the root of the tree ("/" is the root), valid
 * during the call.  What lies below one for which it returns false is passed over.  Symbolic links are not followed; a directory that goes while we look is skipped.
 * Returns 1 when the tree was seen whole, 0 when a bound cut it, or a negative errno. */
must_check int cgroup_scan(const struct cgroup_mount *mount,
			   bool (*seen)(void *ctx, uint64_t id, const char *path), void *ctx,
			   struct err *err);

#endif
