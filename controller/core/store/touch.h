/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STORE_TOUCH_H
#define CONTROLLER_CORE_STORE_TOUCH_H

/* What a change of the store touches.  Pure. */

#include "controller/core/store/store.h"

/* `new` takes the place of `old`; either may be NULL. */
struct touch touch_of(const struct object *old, const struct object *new);

#endif
