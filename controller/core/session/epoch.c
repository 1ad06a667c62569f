/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/session/epoch.h"

#include <errno.h>

int epoch_next(const char *stored, size_t len, int64_t wall_s, struct control_epoch *ret,
	       struct err *err)
{
	struct control_epoch epoch = { .t = wall_s };

	if (stored && control_epoch_unpack(stored, len, &epoch, err) < 0)
		return -EINVAL;
	if (epoch.n == INT64_MAX)
		return err_set(err, -EINVAL, "epoch: n has run out");
	epoch.n++;
	*ret = epoch;
	return 0;
}
