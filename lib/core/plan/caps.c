/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/plan/caps.h"

#include <string.h>

static const struct {
	uint32_t cap;
	const char *name;
} caps[] = {
	{ CAP_CPU_SAMPLING, "cpu" },
	{ CAP_KERNEL, "kernel" },
	{ CAP_NATIVE, "native" },
};

uint32_t capability_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
		if (strcmp(caps[i].name, name) == 0)
			return caps[i].cap;
	return 0;
}

const char *capability_name(uint32_t cap)
{
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
		if (caps[i].cap == cap)
			return caps[i].name;
	return NULL;
}
