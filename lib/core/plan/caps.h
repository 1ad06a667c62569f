/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_PLAN_CAPS_H
#define LIB_CORE_PLAN_CAPS_H

/* Profiling capabilities: what is recorded, as a set of bits.  The names are those of the CRDs' enum;
 * one that is not built yet is not in this list, so that schema, controller and agent refuse it alike.
 */

#include "lib/core/base.h"

enum cap {
	CAP_CPU_SAMPLING = 1 << 0, /* "cpu": on-CPU sampling */
	CAP_KERNEL = 1 << 1,	   /* "kernel": kernel frames */
	CAP_NATIVE = 1 << 2,	   /* "native": user frames of native code */
};

#define CAPS_ALL (CAP_CPU_SAMPLING | CAP_KERNEL | CAP_NATIVE)
#define CAPS_DEFAULT (CAP_CPU_SAMPLING | CAP_KERNEL | CAP_NATIVE)
#define RATE_HZ_DEFAULT 19

/* The bit of a name, or 0 when there is no such capability (yet). */
uint32_t capability_from_name(const char *name);

/* The name of one bit ("cpu"), or NULL. */
const char *capability_name(uint32_t cap);

#endif
