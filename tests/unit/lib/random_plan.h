/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RANDOM_PLAN_H
#define TESTS_RANDOM_PLAN_H

/* Random valid plans for property tests; the same seed gives the same plan. */

#include "lib/core/plan/caps.h"
#include "lib/core/plan/plan.h"

static inline uint32_t random_below(uint64_t *state, uint32_t bound)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33) % bound;
}

static inline void random_class(uint64_t *seed, struct plan_class *cls, uint32_t boost_nr)
{
	cls->id = random_below(seed, 8)
			  ? xasprintf("ns%u/\"h\\%u", random_below(seed, 6), random_below(seed, 3))
			  : xstrdup("");
	cls->step_nr = 1 + random_below(seed, 3);
	cls->step = xcalloc(cls->step_nr, sizeof(*cls->step));
	for (size_t i = 0; i < cls->step_nr; i++) {
		struct plan_step *step = &cls->step[i];

		step->rate_hz = random_below(seed, 201);
		step->caps = random_below(seed, CAPS_ALL + 1);
		if (i + 1 == cls->step_nr || !boost_nr)
			continue;
		step->boost_nr = 1 + random_below(seed, 2);
		step->boost = xcalloc(step->boost_nr, sizeof(*step->boost));
		for (size_t k = 0; k < step->boost_nr; k++)
			step->boost[k] = xasprintf("ns/b@%u.1", random_below(seed, boost_nr));
	}
}

static inline char *random_class_id(uint64_t *seed, const struct plan *plan)
{
	return xstrdup(plan->cls[random_below(seed, (uint32_t)plan->cls_nr)].id);
}

static inline void random_target(uint64_t *seed, const struct plan *plan,
				 struct plan_target *target)
{
	target->uid = xasprintf("uid-%u", random_below(seed, 12));
	target->ns = xasprintf("ns%u", random_below(seed, 3));
	target->pod = xasprintf("p\xc3\xa4-%u", random_below(seed, 5));
	target->class_id = random_class_id(seed, plan);
	if (random_below(seed, 2))
		target->service = xstrdup("svc");
	target->container_nr = random_below(seed, 3);
	target->container = xcalloc(target->container_nr, sizeof(*target->container));
	for (size_t i = 0; i < target->container_nr; i++) {
		struct plan_container *container = &target->container[i];

		container->name = xasprintf("c%u", random_below(seed, 3));
		if (random_below(seed, 2))
			container->cid = xasprintf("%064x", random_below(seed, 100));
		if (random_below(seed, 2))
			container->cgroup = xasprintf("/a/%u", random_below(seed, 100));
		if (random_below(seed, 2))
			container->class_id = random_class_id(seed, plan);
	}
	target->label_nr = random_below(seed, 3);
	target->label = xcalloc(target->label_nr, sizeof(*target->label));
	for (size_t i = 0; i < target->label_nr; i++) {
		target->label[i].key = xasprintf("k%u", random_below(seed, 3));
		target->label[i].value = random_below(seed, 2) ? xstrdup("") : xstrdup("v");
	}
}

/* `now_ns` is added to the boosts' deadlines, which are whole milliseconds after it. */
static inline void random_plan(uint64_t *seed, int64_t now_ns, struct plan *plan)
{
	*plan = (struct plan){ 0 };
	plan->boost_nr = random_below(seed, 4);
	plan->boost = xcalloc(plan->boost_nr, sizeof(*plan->boost));
	for (size_t i = 0; i < plan->boost_nr; i++) {
		plan->boost[i].id = xasprintf("ns/b@%zu.1", i);
		plan->boost[i].expires_ns = now_ns + random_below(seed, 900000) * NSEC_PER_MSEC;
	}
	plan->cls_nr = 1 + random_below(seed, 6);
	plan->cls = xcalloc(plan->cls_nr, sizeof(*plan->cls));
	for (size_t i = 0; i < plan->cls_nr; i++)
		random_class(seed, &plan->cls[i], (uint32_t)plan->boost_nr);
	plan->target_nr = random_below(seed, 10);
	plan->target = xcalloc(plan->target_nr, sizeof(*plan->target));
	for (size_t i = 0; i < plan->target_nr; i++)
		random_target(seed, plan, &plan->target[i]);
	plan_normalize(plan);
}

#endif
