/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/compile_part.h"

#include <assert.h>
#include <string.h>

#include "lib/core/limits.h"

static char *boost_id(const struct candidate *boost)
{
	return xasprintf("%s/%s@%lld.%lld", boost->object->ns, boost->object->name,
			 (long long)boost->clock->generation,
			 (long long)boost->clock->active_since_s);
}

/* When the next of the boosts ends, or INT64_MAX. */
static int64_t first_end(const struct ranked *policies)
{
	int64_t end_ns = INT64_MAX;

	for (size_t i = 0; i < policies->nr; i++)
		end_ns = MIN(end_ns, policies->item[i].end_ns);
	return end_ns;
}

static void drop_ended(struct ranked *policies, int64_t now_ns)
{
	size_t nr = 0;

	for (size_t i = 0; i < policies->nr; i++)
		if (policies->item[i].end_ns > now_ns)
			policies->item[nr++] = policies->item[i];
	policies->nr = nr;
}

static void step_name_boosts(struct plan_step *step, const struct ranked *policies)
{
	for (size_t i = 0; i < policies->nr; i++) {
		if (!policies->item[i].clock)
			continue;
		GROW(step->boost, step->boost_nr);
		step->boost[step->boost_nr++] = boost_id(&policies->item[i]);
	}
}

static void step_release(struct plan_step *step)
{
	for (size_t i = 0; i < step->boost_nr; i++)
		free(step->boost[i]);
	free(step->boost);
}

/* Add a step; it takes the place of one before it that sets the same, whose boosts are a superset of its own. */
static void add_step(struct plan_class *cls, const struct ranked *policies,
		     const struct cluster_scope *scope)
{
	struct effective e;
	struct plan_step *last = cls->step_nr ? &cls->step[cls->step_nr - 1] : NULL;

	effective(policies, scope, &e);
	if (last && last->rate_hz == e.setting.rate_hz && last->caps == e.setting.caps) {
		step_release(last);
		cls->step_nr--;
	}
	GROW(cls->step, cls->step_nr);
	assert(cls->step);
	last = &cls->step[cls->step_nr++];
	*last = (struct plan_step){ .rate_hz = e.setting.rate_hz, .caps = e.setting.caps };
	step_name_boosts(last, policies);
}

/* Too many steps: those before the last one make room. */
static void cut_steps(struct plan_class *cls)
{
	if (cls->step_nr <= LIMIT_PLAN_STEPS)
		return;
	for (size_t i = LIMIT_PLAN_STEPS - 1; i < cls->step_nr - 1; i++)
		step_release(&cls->step[i]);
	cls->step[LIMIT_PLAN_STEPS - 1] = cls->step[cls->step_nr - 1];
	cls->step_nr = LIMIT_PLAN_STEPS;
}

static void add_clock(struct plan *plan, const struct candidate *boost)
{
	cleanup(freep) char *id = boost_id(boost);

	for (size_t i = 0; i < plan->boost_nr; i++)
		if (strcmp(plan->boost[i].id, id) == 0)
			return;
	GROW(plan->boost, plan->boost_nr);
	plan->boost[plan->boost_nr++] = (struct plan_boost){
		.id = TAKE_PTR(id),
		.expires_ns = boost->end_ns,
	};
}

/* The first step names all boosts that any step names. */
static void add_clocks(struct plan *plan, const struct plan_class *cls,
		       const struct ranked *matching)
{
	for (size_t i = 0; i < matching->nr; i++) {
		const struct candidate *boost = &matching->item[i];
		cleanup(freep) char *id = boost->clock ? boost_id(boost) : NULL;

		for (size_t j = 0; id && j < cls->step[0].boost_nr; j++)
			if (strcmp(cls->step[0].boost[j], id) == 0)
				add_clock(plan, boost);
	}
}

void class_make_steps(struct plan *plan, struct plan_class *cls, const struct ranked *matching,
		      const struct cluster_scope *scope)
{
	struct ranked left = { .nr = matching->nr };
	int64_t end_ns;

	left.item = xmalloc(matching->nr * sizeof(*left.item));
	if (matching->nr)
		memcpy(left.item, matching->item, matching->nr * sizeof(*left.item));
	add_step(cls, &left, scope);
	while ((end_ns = first_end(&left)) != INT64_MAX) {
		drop_ended(&left, end_ns);
		add_step(cls, &left, scope);
	}
	ranked_release(&left);
	cut_steps(cls);
	add_clocks(plan, cls, matching);
}
