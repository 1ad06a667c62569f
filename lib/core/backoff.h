/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_BACKOFF_H
#define LIB_CORE_BACKOFF_H

/* How long to wait before trying again: "full jitter", uniform in [0, min(cap, base * 2^failures)).
 * The cap may be another for each kind of failure: one that has reached its cap is not counted.
 * Whoever was up for `steady_ns` without failing begins anew.  Pure: time and randomness come in.
 */

#include "lib/core/base.h"

struct backoff {
	int64_t base_ns, cap_ns; /* > 0 */
	int64_t steady_ns;	 /* 0 = only backoff_reset() begins anew */
	uint32_t failures;
	int64_t up_since_ns; /* 0 = not up */
};

/* An attempt has failed, or what was up has ended: the delay before the next one.  `rnd` is 64 random bits. */
int64_t backoff_next(struct backoff *backoff, int64_t now_ns, uint64_t rnd);

/* An attempt has succeeded; failures are forgotten when it stays so for steady_ns. */
void backoff_up(struct backoff *backoff, int64_t now_ns);

void backoff_reset(struct backoff *backoff);

#endif
