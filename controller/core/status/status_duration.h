/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STATUS_STATUS_DURATION_H
#define CONTROLLER_CORE_STATUS_STATUS_DURATION_H

/* What maxDuration took from a boost, in words.  Pure. */

#include "controller/core/compile/duration_limit.h"
#include "controller/core/object/clock.h"
#include "controller/core/object/model.h"

#define STATUS_DURATION_MAX 288

/* "duration 15m0s shortened to 5m0s by NAME; it ends after 1m0s on nodes that NAME selects", either or both; false when
 * nothing was taken.  By its clock, if that is of its generation: a limit that is no more has shortened it all the same. */
bool status_duration(const struct object *object, const struct boost_clock *clock,
		     const struct duration_limits *limits, char ret_text[STATUS_DURATION_MAX]);

#endif
