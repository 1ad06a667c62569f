/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_FS_H
#define LIB_FS_H

/* Files, whole: read within a bound, write so that a reader sees the old or the new one, never a part.
 * Sentences name the path. */

#include "lib/core/base.h"
#include "lib/core/err.h"

#include <sys/types.h>

/* Read a regular file of at most `max` bytes; a FIFO or device is refused and never blocks.  The buffer has a
 * NUL behind the content and is the caller's to free().  -EFBIG when larger, -EINVAL when not a regular
 * file, -EAGAIN when it grew meanwhile, or the errno of open/read. */
must_check int fs_read_file(const char *path, size_t max, char **ret_buf, size_t *ret_len,
			    struct err *err);

enum fs_sync { FS_NO_SYNC, FS_SYNC };

/* Replace `path` by `len` bytes with mode `mode`, by way of a temporary file beside it and rename().  FS_SYNC
 * also survives a power cut.  On failure the old file is untouched and nothing is left behind. */
must_check int fs_write_file(const char *path, const void *buf, size_t len, mode_t mode,
			     enum fs_sync sync, struct err *err);

/* mkdir -p: directories that exist are left alone. */
must_check int fs_mkdir_all(const char *path, mode_t mode, struct err *err);

#endif
