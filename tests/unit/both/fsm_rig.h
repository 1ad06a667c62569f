/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FSM_RIG_H
#define TESTS_FSM_RIG_H

/* What the tests of the channel's two state machines have in common. */

#include <stdio.h>

#include "lib/core/plan/plan.h"

#define MS NSEC_PER_MSEC
#define TTL_MS 90000

/* Good for the next three calls. */
static inline const char *hash_of(unsigned content)
{
	static char text[4][PLAN_HASH_HEX];
	static unsigned turn;
	char *hash = text[turn++ % 4];

	snprintf(hash, PLAN_HASH_HEX, "%064x", content);
	return hash;
}

#endif
