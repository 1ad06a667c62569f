/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/store/share.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/limits.h"

struct entry {
	struct object *object;
	const struct boost_clock *clock;
	bool over; /* it cannot be in force */
};

static int by_age(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->over != y->over)
		return x->over ? 1 : -1;
	if (x->object->created_s != y->object->created_s)
		return x->object->created_s < y->object->created_s ? -1 : 1;
	return strcmp(x->object->name, y->object->name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->object->name,
		      ((const struct entry *)b)->object->name);
}

static struct entry *entries_of(const struct object_list *policies, const struct boost_clock *clock,
				int64_t now_ns)
{
	struct entry *entry = xmalloc(policies->nr * sizeof(*entry));

	for (size_t i = 0; i < policies->nr; i++)
		entry[i] = (struct entry){
			.object = policies->object[i],
			.clock = &clock[i],
			.over = policies->object[i]->deleting ||
				(clock_is_of(&clock[i], policies->object[i]->generation) &&
				 clock_expired(&clock[i], now_ns)),
		};
	return entry;
}

/* Put those that are in it first.  Returns how many. */
static size_t choose(struct entry *entry, size_t nr, size_t *ret_beyond)
{
	size_t in = 0, boosts = 0;

	*ret_beyond = 0;
	for (size_t i = 0; i < nr; i++) {
		bool boost = policy_is_boost(&entry[i].object->policy) && !entry[i].over;

		if (in == LIMIT_NS_POLICIES || (boost && boosts == LIMIT_NS_BOOSTS)) {
			*ret_beyond += !entry[i].over;
			continue;
		}
		boosts += boost;
		entry[in++] = entry[i];
	}
	return in;
}

void share_make(struct share *ret_share, const struct object_list *policies,
		const struct boost_clock *clock, int64_t now_ns)
{
	cleanup(freep) struct entry *entry = entries_of(policies, clock, now_ns);
	struct share share = { .until_ns = INT64_MAX };

	if (policies->nr > LIMIT_NS_BOOSTS)
		qsort(entry, policies->nr, sizeof(*entry), by_age);
	share.in.nr = choose(entry, policies->nr, &share.beyond);
	if (share.in.nr > 1)
		qsort(entry, share.in.nr, sizeof(*entry), by_name);
	share.in.object = xmalloc(share.in.nr * sizeof(*share.in.object));
	share.clock = xmalloc(share.in.nr * sizeof(*share.clock));
	for (size_t i = 0; i < share.in.nr; i++) {
		share.in.object[i] = entry[i].object;
		share.clock[i] = *entry[i].clock;
		if (!entry[i].over && entry[i].clock->generation)
			share.until_ns = MIN(share.until_ns, entry[i].clock->end_ns);
	}
	*ret_share = share;
}

void share_release(struct share *share)
{
	free(share->in.object);
	free(share->clock);
	*share = (struct share){ 0 };
}

bool share_set_clock(struct share *share, const char *ns, const char *name,
		     const struct boost_clock *clock)
{
	if (!object_list_find(&share->in, ns, name))
		return false;
	share->clock[object_list_place(&share->in, ns, name)] = *clock;
	share->until_ns = MIN(share->until_ns, clock->end_ns);
	return true;
}

enum share_verdict share_look_up(const struct share *share, const struct object *policy)
{
	if (object_list_find(&share->in, policy->ns, policy->name))
		return SHARE_IN;
	return policy_is_boost(&policy->policy) && share->in.nr < LIMIT_NS_POLICIES
		       ? SHARE_BOOSTS
		       : SHARE_POLICIES;
}
