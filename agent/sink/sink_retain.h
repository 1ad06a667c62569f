/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SINK_SINK_RETAIN_H
#define AGENT_SINK_SINK_RETAIN_H

/* Keeping a directory of profiles below a size. */

#include "lib/core/base.h"

#define SINK_RETAIN_BATCH 4096 /* files deleted in one call at most */

/* Look through NAMESPACE/POD/CONTAINER/FILE below `dir` and delete the oldest files (by name, which begins with
 * the time) until no more than `max_bytes` are left, and directories that become empty.  Adds the number
 * of files to *deleted (may be NULL).  Returns the bytes that are left. */
int64_t sink_retain(int dir, int64_t max_bytes, uint64_t *deleted);

#endif
