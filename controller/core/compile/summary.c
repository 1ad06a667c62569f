/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/summary.h"

#include <stdio.h>
#include <string.h>

void summary_set_name(char *ret_name, const char *name)
{
	snprintf(ret_name, LIMIT_NAME_BYTES + 1, "%s", name);
}

static void keep_first(char *name, const char *other)
{
	if (*other && (!*name || strcmp(other, name) < 0))
		summary_set_name(name, other);
}

static void keep_lost(struct policy_summary *sum, const struct policy_summary *other)
{
	sum->lost |= other->lost;
	if (other->lost_pod && (!sum->lost_pod || strcmp(other->lost_pod, sum->lost_pod) < 0))
		sum->lost_pod = other->lost_pod;
}

static void keep_clamp(struct policy_summary *sum, const struct policy_summary *other)
{
	bool rate = other->rate_to_hz < other->rate_from_hz;
	bool had_rate = sum->rate_to_hz < sum->rate_from_hz;

	if (!other->clamped)
		return;
	sum->caps_lost |= other->caps_lost;
	if (!sum->clamped || (rate && (!had_rate || other->rate_to_hz < sum->rate_to_hz))) {
		summary_set_name(sum->clamped_by, other->clamped_by);
		sum->rate_from_hz = other->rate_from_hz;
		sum->rate_to_hz = other->rate_to_hz;
	} else if (rate == had_rate && (!rate || other->rate_to_hz == sum->rate_to_hz)) {
		keep_first(sum->clamped_by, other->clamped_by);
	}
	sum->clamped = true;
}

void summary_add(struct policy_summary *sum, const struct policy_summary *summary)
{
	sum->pods += summary->pods;
	sum->nodes += summary->nodes;
	sum->rate_hz = MAX(sum->rate_hz, summary->rate_hz);
	sum->in_force |= summary->in_force;
	sum->has_part |= summary->has_part;
	sum->left_out |= summary->left_out;
	keep_first(sum->winner, summary->winner);
	keep_first(sum->cpu_off_by, summary->cpu_off_by);
	keep_clamp(sum, summary);
	keep_lost(sum, summary);
}
