/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_COMPILE_COMPILE_OPTIONS_H
#define CONTROLLER_CORE_COMPILE_COMPILE_OPTIONS_H

#include "lib/core/base.h"

struct compile_options {
	const char *const
		*label; /* keys of pod labels passed on to profiles, <= LIMIT_PLAN_LABELS */
	size_t label_nr;
};

#endif
