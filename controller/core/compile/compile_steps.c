/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/compile_part.h"

#include <string.h>

#include "lib/core/limits.h"

/* A step, and the boost that holds it. */
struct moment {
	struct setting setting;
	struct candidate until; /* clock NULL = nothing ends it */
};

static char *boost_id(const struct candidate *boost)
{
	return xasprintf("%s/%s@%lld.%lld", boost->object->ns, boost->object->name,
			 (long long)boost->clock->generation,
			 (long long)boost->clock->active_since_s);
}

/* The first in rank of those that end first. */
static struct candidate first_to_end(const struct ranked *policies)
{
	struct candidate first = { .end_ns = INT64_MAX };

	for (size_t i = 0; i < policies->nr; i++)
		if (policies->item[i].end_ns < first.end_ns)
			first = policies->item[i];
	return first;
}

static void drop_ended(struct ranked *policies, int64_t now_ns)
{
	size_t nr = 0;

	for (size_t i = 0; i < policies->nr; i++)
		if (policies->item[i].end_ns > now_ns)
			policies->item[nr++] = policies->item[i];
	policies->nr = nr;
}

/* It takes the place of one before it that sets the same, and, beyond the limit, of the last that was added. */
static void add_moment(struct moment *moment, size_t *nr, const struct moment *next)
{
	const struct moment *last = *nr ? &moment[*nr - 1] : NULL;

	if (last && (*nr == LIMIT_PLAN_STEPS || (last->setting.rate_hz == next->setting.rate_hz &&
						 last->setting.caps == next->setting.caps)))
		--*nr;
	moment[(*nr)++] = *next;
}

static size_t find_moments(const struct ranked *matching, const struct cluster_scope *scope,
			   struct moment moment[LIMIT_PLAN_STEPS])
{
	struct ranked left = { .nr = matching->nr };
	struct moment next;
	size_t nr = 0;

	left.item = xmalloc(matching->nr * sizeof(*left.item));
	if (matching->nr)
		memcpy(left.item, matching->item, matching->nr * sizeof(*left.item));
	do {
		struct effective e;

		effective(&left, scope, &e);
		next = (struct moment){ .setting = e.setting, .until = first_to_end(&left) };
		add_moment(moment, &nr, &next);
		drop_ended(&left, next.until.end_ns);
	} while (next.until.clock);
	ranked_release(&left);
	return nr;
}

static void add_clock(struct plan *plan, const char *id, int64_t end_ns)
{
	for (size_t i = 0; i < plan->boost_nr; i++)
		if (strcmp(plan->boost[i].id, id) == 0)
			return;
	GROW(plan->boost, plan->boost_nr);
	plan->boost[plan->boost_nr++] =
		(struct plan_boost){ .id = xstrdup(id), .expires_ns = end_ns };
}

void class_make_steps(struct plan *plan, struct plan_class *cls, const struct ranked *matching,
		      const struct cluster_scope *scope)
{
	struct moment moment[LIMIT_PLAN_STEPS];
	size_t nr = find_moments(matching, scope, moment);

	cls->step = xcalloc(nr, sizeof(*cls->step));
	cls->step_nr = nr;
	for (size_t i = 0; i < nr; i++) {
		struct plan_step *step = &cls->step[i];

		step->rate_hz = moment[i].setting.rate_hz;
		step->caps = moment[i].setting.caps;
		if (!moment[i].until.clock)
			continue;
		GROW(step->boost, step->boost_nr);
		step->boost[step->boost_nr++] = boost_id(&moment[i].until);
		add_clock(plan, step->boost[0], moment[i].until.end_ns);
	}
}
