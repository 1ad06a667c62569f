/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_SESSION_EPOCH_H
#define CONTROLLER_CORE_SESSION_EPOCH_H

/* The epoch of a controller that starts: newer than that of every start before it, also when the wall clock
 * went back since, as long as what was stored then is at hand. */

#include "lib/core/control/control_msg.h"
#include "lib/core/err.h"

/* What is stored (control_epoch_unpack()) with n + 1; {wall_s, 1} when nothing is (`stored` is NULL).
 * -EINVAL when `stored` is no epoch: better no start than a wrong one, which would lock the agents out. */
must_check int epoch_next(const char *stored, size_t len, int64_t wall_s, struct control_epoch *ret,
			  struct err *err);

#endif
