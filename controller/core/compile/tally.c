/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/tally.h"

#include <string.h>

#include "lib/core/sorted.h"

static char *keep(const char *name)
{
	return name && *name ? xstrdup(name) : NULL;
}

void tally_init(struct tally *tally, const char *policy, const struct policy_summary *summary)
{
	*tally = (struct tally){
		.policy = xstrdup(policy),
		.winner = keep(summary->winner),
		.cpu_off_by = keep(summary->cpu_off_by),
		.clamped_by = keep(summary->clamped_by),
		.lost_pod = keep(summary->lost_pod),
		.pods = (uint32_t)summary->pods,
		.rate_hz = summary->rate_hz,
		.rate_from_hz = summary->rate_from_hz,
		.rate_to_hz = summary->rate_to_hz,
		.caps_lost = summary->caps_lost,
		.lost = summary->lost,
		.in_force = summary->in_force,
		.has_part = summary->has_part,
		.left_out = summary->left_out,
		.no_labels = summary->no_labels,
		.clamped = summary->clamped,
	};
}

void tally_release(struct tally *tally)
{
	free(tally->policy);
	free(tally->winner);
	free(tally->cpu_off_by);
	free(tally->clamped_by);
	free(tally->lost_pod);
}

static void put_name(char *ret_name, const char *name)
{
	if (name)
		summary_set_name(ret_name, name);
}

void tally_summary(const struct tally *tally, struct policy_summary *ret_summary)
{
	*ret_summary = (struct policy_summary){
		.pods = tally->pods,
		.nodes = tally->pods > 0,
		.rate_hz = tally->rate_hz,
		.in_force = tally->in_force,
		.has_part = tally->has_part,
		.left_out = tally->left_out,
		.no_labels = tally->no_labels,
		.lost = tally->lost,
		.lost_pod = tally->lost_pod,
		.clamped = tally->clamped,
		.rate_from_hz = tally->rate_from_hz,
		.rate_to_hz = tally->rate_to_hz,
		.caps_lost = tally->caps_lost,
	};
	put_name(ret_summary->winner, tally->winner);
	put_name(ret_summary->cpu_off_by, tally->cpu_off_by);
	put_name(ret_summary->clamped_by, tally->clamped_by);
}

static int compare_policy(const void *key, const void *element)
{
	return strcmp(key, ((const struct tally *)element)->policy);
}

const struct tally *tally_find(const struct tally *tally, size_t nr, const char *policy)
{
	return sorted_find(policy, tally, nr, sizeof(*tally), compare_policy);
}
