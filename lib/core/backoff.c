/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/backoff.h"

static int64_t bound_ns(const struct backoff *backoff)
{
	int64_t bound = backoff->base_ns;

	for (uint32_t i = 0; i < backoff->failures && bound < backoff->cap_ns; i++)
		if (__builtin_mul_overflow(bound, 2, &bound))
			return backoff->cap_ns;
	return MIN(bound, backoff->cap_ns);
}

int64_t backoff_next(struct backoff *backoff, int64_t now_ns, uint64_t rnd)
{
	int64_t up_since_ns = backoff->up_since_ns, bound;

	if (backoff->steady_ns && up_since_ns && now_ns - up_since_ns >= backoff->steady_ns)
		backoff->failures = 0;
	backoff->up_since_ns = 0;
	bound = bound_ns(backoff);
	if (bound < backoff->cap_ns)
		backoff->failures++;
	return (int64_t)(((unsigned __int128)rnd * (uint64_t)bound) >> 64);
}

void backoff_up(struct backoff *backoff, int64_t now_ns)
{
	backoff->up_since_ns = now_ns;
}

void backoff_reset(struct backoff *backoff)
{
	backoff->failures = 0;
	backoff->up_since_ns = 0;
}
