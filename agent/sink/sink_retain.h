/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SINK_SINK_RETAIN_H
#define AGENT_SINK_SINK_RETAIN_H

/* Keeping a directory of profiles below a size, a little at a time: one round looks through
 * NAMESPACE/POD/CONTAINER/FILE and then deletes the oldest files, by name, which begins with the time.
 *
 * Only files named as sink_name_is_ours() says are looked at, counted and deleted, and directories that become empty by
 * that. */

#include "lib/core/base.h"

#define SINK_RETAIN_BATCH 4096 /* files deleted in one round at most */

struct sink_retain;

/* Is it a name that the file sink gives, "20261121T031500.123Z-0123456789ab-19hz.pb.gz" (the id may be missing), or
 * that of one half-written when we ended (".NAME.tmp")? */
bool sink_name_is_ours(const char *name);

/* Begin a round below the open directory `dir`, which stays the caller's and open; NULL when it cannot be read.  Files
 * changed from now on are not counted (but for those within the same tick of a kernel that stamps files by ticks). */
struct sink_retain *sink_retain_new(int dir);
void sink_retain_free(struct sink_retain *retain);

/* Look at up to `nr` entries.  True when all have been seen. */
bool sink_retain_look(struct sink_retain *retain, size_t nr);

/* What all that were seen take on the disk. */
int64_t sink_retain_bytes(const struct sink_retain *retain);

/* Delete up to `nr` of the oldest until `bytes` (all there is) is at most `max_bytes`.  True when there is no more to do
 * in this round.  Takes the freed bytes off *bytes and adds the files to *deleted. */
bool sink_retain_delete(struct sink_retain *retain, size_t nr, int64_t max_bytes, int64_t *bytes,
			uint64_t *deleted);

#endif
