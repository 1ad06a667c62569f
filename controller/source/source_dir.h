/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_SOURCE_SOURCE_DIR_H
#define CONTROLLER_SOURCE_SOURCE_DIR_H

/* A directory of manifests, followed: what `--source DIR` is.
 *
 * A file is read when its writer closes it or renames it into place, within the same turn of the loop; a
 * file that is still being written is left alone.  A swap of Kubernetes' ..data link, a lost event, a
 * change behind a symbolic link and a directory that is replaced are found by comparing everything, at the
 * latest after SOURCE_RESCAN_MS.  While the directory itself is missing, the last good state stays.
 */

#include "controller/source/source_files.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#define SOURCE_RESCAN_MS 10000

struct metrics;
struct source_dir;
struct uv_loop_s;

struct source_dir_options {
	const char *path;
	struct metrics *metrics; /* may be NULL */
};

/* Read everything, tell it to `sink` (apply, remove, settled; copied), and follow.
 * -ENOENT, -ENOTDIR, -EMFILE, ... with a sentence. */
must_check int source_dir_new(struct uv_loop_s *loop, const struct source_dir_options *options,
			      const struct source_sink *sink, struct source_dir **ret_dir,
			      struct err *err);

/* Stop; the memory goes when the loop has run its close callbacks. */
void source_dir_close(struct source_dir *dir);

const struct source_files *source_dir_files(const struct source_dir *dir);

/* False, with the reason, while the directory is missing. */
bool source_dir_ok(const struct source_dir *dir, struct err *ret_why);

#endif
