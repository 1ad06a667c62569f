/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PLAN_LKG_H
#define AGENT_CORE_PLAN_LKG_H

/* The last good plan as a file's content, so that an agent that starts without a controller goes on.
 *
 * "rubato-plan 1 SHA256\n" and JSON that the sum covers.  Boost deadlines are written by both clocks:
 * within one boot CLOCK_BOOTTIME decides; after a reboot the wall clock does, and if that went back by
 * more than 5 minutes the boosts are over (R16).  Reading never makes a boost longer.  Pure.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"
#include "lib/core/plan/plan.h"

#define LKG_BYTES_MAX (3 * 1024 * 1024)
#define LKG_BOOT_ID_BYTES 40

struct lkg_now {
	char boot_id[LKG_BOOT_ID_BYTES]; /* of the kernel; "" = not known, equals no other */
	int64_t boot_ns, wall_ns;
};

/* NUL-terminated, owned by the caller. */
char *lkg_pack(const struct plan *plan, const struct lkg_now *now);

/* -EINVAL with a sentence; *ret_plan is written on success only. */
must_check int lkg_unpack(const char *text, size_t len, const struct lkg_now *now,
			  struct plan *ret_plan, struct err *err);

#endif
