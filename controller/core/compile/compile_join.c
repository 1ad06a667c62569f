/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/compile_part.h"

#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/plan/plan_size.h"

static void add_default_class(struct plan *plan, const struct store *store, const char *node)
{
	const struct object *object = store_find(store, OBJECT_NODE, "", node);
	struct object_list cluster = store_cluster_policies(store);
	struct plan_class cls = { .id = xstrdup("") };
	struct cluster_scope scope;

	cluster_scope_init_node(&scope, cluster.object, cluster.nr, object ? object->labels : NULL);
	class_make_steps(plan, &cls, &(struct ranked){ 0 }, &scope);
	cluster_scope_release(&scope);
	GROW(plan->cls, plan->cls_nr);
	plan->cls[plan->cls_nr++] = cls;
}

static void move_classes(struct plan *plan, struct plan *from)
{
	for (size_t i = 0; i < from->cls_nr; i++) {
		GROW(plan->cls, plan->cls_nr);
		plan->cls[plan->cls_nr++] = from->cls[i];
	}
	from->cls_nr = 0;
}

static void move_targets(struct plan *plan, struct plan *from)
{
	for (size_t i = 0; i < from->target_nr; i++) {
		GROW(plan->target, plan->target_nr);
		plan->target[plan->target_nr++] = from->target[i];
	}
	from->target_nr = 0;
}

static void move_boosts(struct plan *plan, struct plan *from)
{
	for (size_t i = 0; i < from->boost_nr; i++) {
		GROW(plan->boost, plan->boost_nr);
		plan->boost[plan->boost_nr++] = from->boost[i];
	}
	from->boost_nr = 0;
}

/* --- what a part takes, and what it may --- */

enum resource { CLASSES, TARGETS, BOOSTS, BYTES, RESOURCE_NR };

struct load {
	size_t of[RESOURCE_NR];
};

static struct load load_of(const struct plan *plan)
{
	struct load load = { .of = { [CLASSES] = plan->cls_nr,
				     [TARGETS] = plan->target_nr,
				     [BOOSTS] = plan->boost_nr } };

	for (size_t i = 0; i < plan->cls_nr; i++)
		load.of[BYTES] += plan_class_bytes(&plan->cls[i]);
	for (size_t i = 0; i < plan->target_nr; i++)
		load.of[BYTES] += plan_target_bytes(&plan->target[i]);
	for (size_t i = 0; i < plan->boost_nr; i++)
		load.of[BYTES] += plan_boost_bytes(&plan->boost[i]);
	return load;
}

static int by_size(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

/* Whoever needs no more than this gets all of it, so that all together get at most `total`; SIZE_MAX when that is
 * everybody.  `need` is sorted. */
static size_t fair_share(size_t *need, size_t nr, size_t total)
{
	if (nr > 1)
		qsort(need, nr, sizeof(*need), by_size);
	for (size_t i = 0; i < nr; i++) {
		if (need[i] > total / (nr - i))
			return total / (nr - i);
		total -= need[i];
	}
	return SIZE_MAX;
}

static struct load share_of_each(const struct load *load, size_t nr, const struct load *total)
{
	cleanup(freep) size_t *need = xmalloc(nr * sizeof(*need));
	struct load share;

	for (size_t r = 0; r < RESOURCE_NR; r++) {
		for (size_t i = 0; i < nr; i++)
			need[i] = load[i].of[r];
		share.of[r] = fair_share(need, nr, total->of[r]);
	}
	return share;
}

static bool fits(const struct load *load, const struct load *share)
{
	for (size_t r = 0; r < RESOURCE_NR; r++)
		if (load->of[r] > share->of[r])
			return false;
	return true;
}

/* --- what is beyond its share is left out --- */

/* The settings of after the last boost. */
static void drop_boosts(struct plan *plan)
{
	for (size_t i = 0; i < plan->cls_nr; i++) {
		struct plan_class *cls = &plan->cls[i];

		for (size_t k = 0; k + 1 < cls->step_nr; k++)
			plan_step_release(&cls->step[k]);
		cls->step[0] = cls->step[cls->step_nr - 1];
		cls->step_nr = 1;
	}
	for (size_t i = 0; i < plan->boost_nr; i++)
		plan_boost_release(&plan->boost[i]);
	plan->boost_nr = 0;
}

static void use_class(const struct plan *plan, const char *id, bool *used, struct load *load)
{
	for (size_t i = 0; id && i < plan->cls_nr; i++) {
		if (used[i] || strcmp(plan->cls[i].id, id) != 0)
			continue;
		used[i] = true;
		load->of[CLASSES]++;
		load->of[BYTES] += plan_class_bytes(&plan->cls[i]);
	}
}

static bool add_target(const struct plan *plan, const struct plan_target *target,
		       const struct load *share, bool *used, struct load *load)
{
	cleanup(freep) bool *used_then = xmalloc(plan->cls_nr * sizeof(*used));
	struct load then = *load;

	memcpy(used_then, used, plan->cls_nr * sizeof(*used));
	then.of[TARGETS]++;
	then.of[BYTES] += plan_target_bytes(target);
	use_class(plan, target->class_id, used_then, &then);
	for (size_t i = 0; i < target->container_nr; i++)
		use_class(plan, target->container[i].class_id, used_then, &then);
	if (!fits(&then, share))
		return false;
	memcpy(used, used_then, plan->cls_nr * sizeof(*used));
	*load = then;
	return true;
}

/* Keep the targets that fit, and their classes.  The plan has no boosts.  Returns how many do not fit. */
static size_t cut_targets(struct plan *plan, const struct load *share)
{
	cleanup(freep) bool *used = xcalloc(plan->cls_nr, sizeof(*used));
	struct load load = { 0 };
	size_t nr = 0, cls_nr = 0, all = plan->target_nr;

	for (size_t i = 0; i < all; i++) {
		if (add_target(plan, &plan->target[i], share, used, &load))
			plan->target[nr++] = plan->target[i];
		else
			plan_target_release(&plan->target[i]);
	}
	plan->target_nr = nr;
	for (size_t i = 0; i < plan->cls_nr; i++) {
		if (used[i])
			plan->cls[cls_nr++] = plan->cls[i];
		else
			plan_class_release(&plan->cls[i]);
	}
	plan->cls_nr = cls_nr;
	return all - nr;
}

/* --- the plan --- */

/* As much of a part's plan as fits. */
static void fit_part(struct part *part, struct plan *plan, const struct load *load,
		     const struct load *share)
{
	struct load left = *load;

	part->left_out = 0;
	part->without_boosts = load->of[BOOSTS] > share->of[BOOSTS] ||
			       (load->of[BOOSTS] && load->of[BYTES] > share->of[BYTES]);
	if (part->without_boosts) {
		drop_boosts(plan);
		left = load_of(plan);
	}
	if (!fits(&left, share))
		part->left_out = cut_targets(plan, share);
}

static void add_parts(const struct named_list *parts, struct plan *plan)
{
	struct load total = { .of = { [CLASSES] = LIMIT_PLAN_CLASSES - plan->cls_nr,
				      [TARGETS] = LIMIT_PLAN_TARGETS,
				      [BOOSTS] = LIMIT_PLAN_BOOSTS,
				      [BYTES] = (size_t)LIMIT_PLAN_BYTES - PLAN_HEAD_BYTES -
						load_of(plan).of[BYTES] } };
	cleanup(freep) struct plan *own = xmalloc(parts->nr * sizeof(*own));
	cleanup(freep) struct load *load = xmalloc(parts->nr * sizeof(*load));
	struct load share;

	for (size_t i = 0; i < parts->nr; i++) {
		plan_unpack(((const struct part *)parts->item[i])->pack, &own[i]);
		load[i] = load_of(&own[i]);
	}
	share = share_of_each(load, parts->nr, &total);
	for (size_t i = 0; i < parts->nr; i++) {
		fit_part((struct part *)parts->item[i], &own[i], &load[i], &share);
		move_classes(plan, &own[i]);
		move_targets(plan, &own[i]);
		move_boosts(plan, &own[i]);
		plan_release(&own[i]);
	}
}

void parts_join(const struct named_list *parts, const struct store *store, const char *node,
		struct plan *ret_plan)
{
	*ret_plan = (struct plan){ 0 };
	add_default_class(ret_plan, store, node);
	add_parts(parts, ret_plan);
	plan_normalize(ret_plan);
}

/* --- how soon --- */

static bool boosts_equal(const struct plan *a, const struct plan *b)
{
	if (a->boost_nr != b->boost_nr)
		return false;
	for (size_t i = 0; i < a->boost_nr; i++)
		if (strcmp(a->boost[i].id, b->boost[i].id) != 0 ||
		    a->boost[i].expires_ns != b->boost[i].expires_ns)
			return false;
	return true;
}

/* Does it lower a rate, or does a boost raise one that shares its end with another? */
static bool hurries(const struct plan *from, const struct plan *to)
{
	for (size_t i = 0; i < to->cls_nr; i++) {
		const struct plan_class *old = plan_find_class(from, to->cls[i].id);
		const struct plan_step *new = &to->cls[i].step[0];

		if (!old)
			continue;
		if (new->rate_hz < old->step[0].rate_hz || (old->step[0].caps & ~new->caps))
			return true;
		if (new->boost_nr &&new->rate_hz != old->step[0].rate_hz)
			return true;
	}
	return false;
}

enum hub_lane plan_lane(const struct plan *from, const struct plan *to)
{
	if (!boosts_equal(from, to) || hurries(from, to))
		return HUB_LANE_NOW;
	return plan_equal(from, to) ? HUB_LANE_CHURN : HUB_LANE_EDIT;
}
