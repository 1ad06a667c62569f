/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_HUB_EPOCH_FILE_H
#define CONTROLLER_HUB_EPOCH_FILE_H

/* The epoch of a controller that counts its starts in a file. */

#include "lib/core/control/control_msg.h"
#include "lib/core/err.h"

/* The next epoch after what `path` holds (controller/core/session/epoch.h), written there durably before it
 * is returned.  -EINVAL when the file holds no epoch; other errors are those of reading and writing it. */
must_check int epoch_file_next(const char *path, int64_t wall_s, struct control_epoch *ret,
			       struct err *err);

#endif
