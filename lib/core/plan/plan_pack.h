/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_PLAN_PLAN_PACK_H
#define LIB_CORE_PLAN_PLAN_PACK_H

/* A plan in one piece of memory, for those who keep thousands of them: about a quarter of what struct plan takes with a
 * string each for every name.  It holds no pointers, and equal plans have equal bytes.
 *
 * Not a format: it never leaves the process, and nothing in it is checked. */

#include "lib/core/plan/plan.h"

struct plan_pack {
	size_t len, clocks; /* bytes; of them before the boosts */
	uint8_t byte[];
};

/* The caller's to free().  Classes and targets stay in the order in which they are. */
struct plan_pack *plan_pack(const struct plan *plan);

/* The plan again; the caller's to release. */
void plan_unpack(const struct plan_pack *pack, struct plan *ret_plan);

/* Its boosts alone, without what is before them. */
void plan_unpack_boosts(const struct plan_pack *pack, struct plan *ret_plan);

/* Equal classes and targets in the same order, as plan_equal() (boosts aside). */
bool plan_pack_equal(const struct plan_pack *a, const struct plan_pack *b);

#endif
