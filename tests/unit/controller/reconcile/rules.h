/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONTROLLER_RECONCILE_RULES_H
#define TESTS_UNIT_CONTROLLER_RECONCILE_RULES_H

/* The rules of policies once more, as short as they can be said, on things of the test's own: what a status must
 * say of a small world is computed here without a line of the controller. */

#include "tests/unit/controller/reconcile/ground.h"

/* What a container's setting comes to, and by whom. */
struct fate {
	int rate, asked_rate, caps, asked_caps, dropped;
	const struct asked *rate_by, *caps_by, *silencer; /* caps_by: of the continuous ones */
	bool rate_lowered;
};

/* What is to be seen of a policy. */
struct verdict_expected {
	int pods, nodes, rate, agents[4];
	bool has_part, lowered, lost, shortened;
	const char *winner; /* NULL = nobody */
};

static inline bool selects(int selector, const char *app)
{
	return selector < IS_X || (strcmp(app, "x") == 0) == (selector == IS_X);
}

static inline bool takes(const struct asked *p, const struct guest *pod, int container)
{
	return strcmp(p->ns, pod->ns) == 0 && selects(p->selector, pod->app) &&
	       (p->container == WHOLE || p->container == container);
}

static inline bool counts(const struct asked *p)
{
	return !p->deleting && !p->expired;
}

static inline bool before(bool narrow_a, bool newer_a, const char *name_a, bool narrow_b,
			  bool newer_b, const char *name_b)
{
	if (narrow_a != narrow_b)
		return narrow_a;
	if (newer_a != newer_b)
		return newer_b;
	return strcmp(name_a, name_b) < 0;
}

static inline bool ranks_before(const struct asked *a, const struct asked *b)
{
	return !b || before(a->selector >= IS_X || a->container, a->newer, a->name,
			    b->selector >= IS_X || b->container, b->newer, b->name);
}

static inline bool fleet_before(const struct fleet *a, const struct fleet *b)
{
	return !b || before(a->ns_selector >= IS_X || a->node_selector >= IS_X, a->newer, a->name,
			    b->ns_selector >= IS_X || b->node_selector >= IS_X, b->newer, b->name);
}

static inline bool holds_for(const struct ground *g, const struct fleet *c, const struct guest *pod)
{
	return selects(c->ns_selector, g->ns_app[pod->ns[0] - 'a']) &&
	       selects(c->node_selector, g->node_app[pod->node]);
}

/* Boosts are all heard; of the others the first. */
static inline bool is_heard(const struct asked *p, const struct fate *fate)
{
	return (p->add | p->drop) && (p->duration_s || fate->caps_by == p);
}

static inline void ask_rate(const struct ground *g, const struct guest *pod, int container,
			    struct fate *fate)
{
	const struct asked *boost = NULL, *steady = NULL;
	const struct fleet *by = NULL;

	for (size_t i = 0; i < g->policy_nr; i++) {
		const struct asked *p = &g->policy[i];

		if (!counts(p) || !takes(p, pod, container) || p->rate < 0)
			continue;
		if (!p->duration_s && ranks_before(p, steady))
			steady = p;
		if (p->duration_s && (!boost || p->rate > boost->rate ||
				      (p->rate == boost->rate && ranks_before(p, boost))))
			boost = p;
	}
	for (size_t i = 0; i < g->cluster_nr; i++)
		if (g->cluster[i].rate >= 0 && holds_for(g, &g->cluster[i], pod) &&
		    fleet_before(&g->cluster[i], by))
			by = &g->cluster[i];
	fate->rate_by = boost ? boost : steady;
	fate->asked_rate = fate->rate_by ? fate->rate_by->rate : by ? by->rate : 19;
}

static inline void ask_caps(const struct ground *g, const struct guest *pod, int container,
			    struct fate *fate)
{
	const struct fleet *by = NULL;

	for (size_t i = 0; i < g->policy_nr; i++) {
		const struct asked *p = &g->policy[i];

		if (counts(p) && takes(p, pod, container) && !p->duration_s && (p->add | p->drop) &&
		    ranks_before(p, fate->caps_by))
			fate->caps_by = p;
	}
	for (size_t i = 0; i < g->cluster_nr; i++)
		if (g->cluster[i].caps >= 0 && holds_for(g, &g->cluster[i], pod) &&
		    fleet_before(&g->cluster[i], by))
			by = &g->cluster[i];
	fate->asked_caps = by ? by->caps : ALL;
	for (size_t i = 0; i < g->policy_nr; i++) {
		const struct asked *p = &g->policy[i];

		if (!counts(p) || !takes(p, pod, container) || !is_heard(p, fate))
			continue;
		fate->asked_caps |= p->add;
		fate->dropped |= p->drop;
		if ((p->drop & CPU) && ranks_before(p, fate->silencer))
			fate->silencer = p;
	}
	fate->asked_caps &= ~fate->dropped;
}

static inline struct fate fate_of(const struct ground *g, const struct guest *pod, int container)
{
	struct fate fate = { 0 };

	ask_rate(g, pod, container, &fate);
	ask_caps(g, pod, container, &fate);
	if (!(fate.asked_caps & CPU))
		fate.asked_rate = 0;
	fate.rate = fate.asked_rate;
	fate.caps = fate.asked_caps;
	for (size_t i = 0; i < g->cluster_nr; i++) {
		const struct fleet *c = &g->cluster[i];

		if (!holds_for(g, c, pod))
			continue;
		if (c->max >= 0)
			fate.rate = MIN(fate.rate, c->max);
		if (c->max_continuous >= 0 && !(fate.rate_by && fate.rate_by->duration_s))
			fate.rate = MIN(fate.rate, c->max_continuous);
		if (c->allowed >= 0)
			fate.caps &= c->allowed;
	}
	if (!(fate.caps & CPU))
		fate.rate = 0;
	fate.rate_lowered = fate.rate < fate.asked_rate;
	return fate;
}

static inline void keep_winner(struct verdict_expected *v, const struct asked *winner)
{
	if (winner && (!v->winner || strcmp(winner->name, v->winner) < 0))
		v->winner = winner->name;
}

/* Who takes it away from p. */
static inline const struct asked *winner_over(const struct ground *g, const struct asked *p,
					      const struct fate *fate, const struct guest *pod,
					      int container)
{
	const struct asked *winner = NULL;

	if (p->rate >= 0)
		return fate->silencer ? fate->silencer : fate->rate_by;
	for (size_t i = 0; i < g->policy_nr; i++) {
		const struct asked *q = &g->policy[i];

		if (counts(q) && takes(q, pod, container) && is_heard(q, fate) &&
		    (q->drop & p->add) && ranks_before(q, winner))
			winner = q;
	}
	return winner ? winner : fate->caps_by;
}

static inline void judge(const struct ground *g, const struct asked *p, const struct guest *pod,
			 int container, struct verdict_expected *v)
{
	struct fate fate = fate_of(g, pod, container);
	bool by_rate = fate.rate_by == p && !fate.silencer;
	bool by_caps =
		is_heard(p, &fate) && (!p->duration_s || p->drop || (p->add & ~fate.dropped));

	v->rate = MAX(v->rate, fate.rate);
	if (!counts(p))
		return;
	if (!by_rate && !by_caps) {
		keep_winner(v, winner_over(g, p, &fate, pod, container));
		return;
	}
	v->has_part = true;
	v->lowered |= fate.rate_by == p && fate.rate_lowered;
	v->lost |= (p->add & fate.asked_caps & ~fate.caps) != 0;
}

/* Whether a maxDuration of the namespace, on all nodes or on some, is shorter. */
static inline bool is_shortened(const struct ground *g, const struct asked *p)
{
	for (size_t i = 0; p->duration_s && i < g->cluster_nr; i++) {
		const struct fleet *c = &g->cluster[i];

		if (c->max_duration_s > 0 && c->max_duration_s < p->duration_s &&
		    selects(c->ns_selector, g->ns_app[p->ns[0] - 'a']))
			return true;
	}
	return false;
}

static inline struct verdict_expected expected_of(const struct ground *g, const struct asked *p)
{
	struct verdict_expected v = { .shortened = is_shortened(g, p) };
	bool seen[NODES] = { false };

	for (size_t i = 0; i < g->pod_nr; i++) {
		const struct guest *pod = &g->pod[i];
		bool selected = false;

		for (int container = WHOLE; container <= (pod->has_side ? SIDE : APP);
		     container++) {
			if (pod->done || pod->node < 0 || !takes(p, pod, container))
				continue;
			selected = true;
			judge(g, p, pod, container, &v);
		}
		v.pods += selected;
		if (!selected || seen[pod->node])
			continue;
		seen[pod->node] = true;
		v.nodes++;
		v.agents[g->agent[pod->node]]++;
	}
	return v;
}

#endif
