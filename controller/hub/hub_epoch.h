/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_HUB_HUB_EPOCH_H
#define CONTROLLER_HUB_HUB_EPOCH_H

/* The epoch of a controller that has no Lease to count for it. */

#include "lib/core/control/control_msg.h"
#include "lib/core/err.h"

/* The next epoch: what `file` says with n + 1, or {wall_s, 1} if there is no file (or `file` is NULL);
 * stored durably before it is returned.  -EINVAL if the file is not an epoch: better no start than a
 * wrong one, which would lock the agents out.  Other errors are those of writing the file. */
must_check int hub_epoch_next(const char *file, int64_t wall_s, struct control_epoch *ret,
			      struct err *err);

#endif
