/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SINK_SINK_FILE_H
#define AGENT_SINK_SINK_FILE_H

/* The sink that is a directory: DIR/NAMESPACE/POD/CONTAINER/TIME-ID-RATEhz.pb.gz, where TIME is the
 * window's start in UTC, "20261121T031500.123Z", and ID the first twelve digits of the container's id (left
 * out, with its dash, when it has none), so that the profiles of a container that is restarted lie beside the old ones.
 * A name that is taken gets a number behind the ID: nothing is overwritten.
 *
 * A file appears whole (written beside, then renamed) with mode 0644.  When all files together take more than
 * max_bytes of the disk, the oldest are deleted, a few at each write, so that no write takes long.  Directories that
 * become empty go too; files of other names are left alone and not counted.
 *
 * Each write looks whether DIR is still the same: one that was removed is made again, and another one in its place
 * (rotated, mounted over) is followed.
 */

#include "agent/core/profile/profile.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#define SINK_FILE_MAX_BYTES (1024LL * 1024 * 1024) /* the default */

struct sink_file_options {
	const char *dir;   /* made if it is not there; its parent must be */
	int64_t max_bytes; /* 0 = SINK_FILE_MAX_BYTES */
};

struct sink_file_stats {
	uint64_t written, written_bytes, failed, deleted; /* only grow */
	int64_t bytes; /* of the disk, that they take now; less until all are counted after the start */
};

struct sink_file;

/* On failure err names the path. */
must_check int sink_file_new(const struct sink_file_options *options, struct sink_file **ret_sink,
			     struct err *err);
void sink_file_free(struct sink_file *sink);

/* Write one profile.  A failure is counted, and err names the path and the reason; nothing
 * half-written stays. */
must_check int sink_file_write(struct sink_file *sink, const struct profile_meta *meta,
			       const uint8_t *data, size_t len, struct err *err);

void sink_file_stats(const struct sink_file *sink, struct sink_file_stats *ret_stats);

#endif
