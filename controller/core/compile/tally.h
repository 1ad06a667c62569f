/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_COMPILE_TALLY_H
#define CONTROLLER_CORE_COMPILE_TALLY_H

/* What came of a policy in one part of a node's plan, in a tenth of the room of a struct policy_summary: there is one for
 * each policy and node, and hardly any of them names somebody. */

#include "controller/core/compile/summary.h"

struct tally {
	char *policy;
	char *winner, *cpu_off_by, *clamped_by, *lost_pod; /* NULL = nobody */
	uint32_t pods, rate_hz, rate_from_hz, rate_to_hz, caps_lost, lost;
	bool in_force, has_part, left_out, no_labels, clamped;
};

/* Of this part: nodes is 1 if there are pods. */
void tally_init(struct tally *tally, const char *policy, const struct policy_summary *summary);
void tally_release(struct tally *tally);

/* The summary again.  lost_pod is borrowed from the tally. */
void tally_summary(const struct tally *tally, struct policy_summary *ret_summary);

/* Of tallies by policy; NULL when there is none. */
const struct tally *tally_find(const struct tally *tally, size_t nr, const char *policy);

#endif
