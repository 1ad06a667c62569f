/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/event_shares.h"

#include <string.h>

#include "lib/core/sorted.h"

static int compare(const void *ns, const void *share)
{
	return strcmp(ns, (*(struct event_share *const *)share)->ns);
}

static size_t place(const struct event_shares *shares, const char *ns)
{
	return sorted_place(ns, shares->share, shares->nr, sizeof(struct event_share *), compare);
}

static struct event_share *find(const struct event_shares *shares, const char *ns)
{
	size_t at = place(shares, ns);

	return at < shares->nr && strcmp(shares->share[at]->ns, ns) == 0 ? shares->share[at] : NULL;
}

static void share_free(struct event_share *share)
{
	free(share->ns);
	free(share);
}

void event_shares_release(struct event_shares *shares)
{
	for (size_t i = 0; i < shares->nr; i++)
		share_free(shares->share[i]);
	free(shares->share);
	*shares = (struct event_shares){ 0 };
}

/* Whoever comes is behind those who wait. */
static struct event_share *add(struct event_shares *shares, const char *ns)
{
	struct event_share *share = xcalloc(1, sizeof(*share));
	size_t at = place(shares, ns);

	share->ns = xstrdup(ns);
	share->turn = shares->turn;
	GROW(shares->share, shares->nr);
	memmove(&shares->share[at + 1], &shares->share[at],
		(shares->nr - at) * sizeof(shares->share[0]));
	shares->share[at] = share;
	shares->nr++;
	return share;
}

struct event_share *event_share_join(struct event_shares *shares, const char *ns)
{
	struct event_share *share = find(shares, ns);

	if (!share)
		share = add(shares, ns);
	share->nr++;
	return share;
}

void event_share_leave(struct event_shares *shares, struct event_share *share)
{
	size_t at = place(shares, share->ns);

	if (--share->nr)
		return;
	shares->nr--;
	memmove(&shares->share[at], &shares->share[at + 1],
		(shares->nr - at) * sizeof(shares->share[0]));
	share_free(share);
}

const struct event_share *event_shares_giver(const struct event_shares *shares, const char *ns)
{
	const struct event_share *own = find(shares, ns), *largest = NULL;

	for (size_t i = 0; i < shares->nr; i++)
		if (!largest || shares->share[i]->nr > largest->nr)
			largest = shares->share[i];
	return largest && largest->nr > (own ? own->nr : 0) + 1 ? largest : NULL;
}

void event_share_served(struct event_shares *shares, struct event_share *share)
{
	share->turn = ++shares->turn;
}
