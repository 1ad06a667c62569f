/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_PLAN_PLAN_SIZE_H
#define LIB_CORE_PLAN_PLAN_SIZE_H

/* How much a part of a plan takes of a message, at most: bytes of its JSON without spaces, and its comma. */

#include "lib/core/plan/plan.h"

/* What a plan's message has beside its classes, targets and boosts. */
#define PLAN_HEAD_BYTES 1024

size_t plan_class_bytes(const struct plan_class *cls);
size_t plan_target_bytes(const struct plan_target *target);
size_t plan_boost_bytes(const struct plan_boost *boost);

#endif
