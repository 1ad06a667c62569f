/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/hub/epoch_file.h"

#include <errno.h>
#include <string.h>

#include "controller/core/session/epoch.h"
#include "lib/fs.h"

#define EPOCH_BYTES 256

int epoch_file_next(const char *path, int64_t wall_s, struct control_epoch *ret, struct err *err)
{
	cleanup(freep) char *stored = NULL;
	cleanup(freep) char *text = NULL;
	struct control_epoch epoch;
	size_t len = 0;
	int r = fs_read_file(path, EPOCH_BYTES, &stored, &len, err);

	if (r == 0 || r == -ENOENT)
		r = epoch_next(stored, len, wall_s, &epoch, err);
	if (r == -EINVAL)
		return err_wrap(err, r, "%s (remove it to count anew by the wall clock)", path);
	if (r < 0)
		return r;
	text = control_epoch_pack(&epoch);
	r = fs_write_file(path, text, strlen(text), 0600, FS_SYNC, err);
	if (r < 0)
		return r;
	*ret = epoch;
	return 0;
}
