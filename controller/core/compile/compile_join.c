/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/compile_part.h"

#include <string.h>

#include "lib/core/limits.h"

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

static size_t text_bytes(const char *text)
{
	return text ? strlen(text) : 0;
}

/* About what a target takes in a message. */
static size_t target_bytes(const struct plan_target *target)
{
	size_t bytes = 128 + text_bytes(target->uid) + text_bytes(target->ns) +
		       text_bytes(target->pod) + text_bytes(target->service) +
		       text_bytes(target->class_id);

	for (size_t i = 0; i < target->container_nr; i++) {
		const struct plan_container *c = &target->container[i];

		bytes += 64 + text_bytes(c->name) + text_bytes(c->cid) + text_bytes(c->cgroup) +
			 text_bytes(c->class_id);
	}
	for (size_t i = 0; i < target->label_nr; i++)
		bytes += 8 + text_bytes(target->label[i].key) + text_bytes(target->label[i].value);
	return bytes;
}

static size_t targets_bytes(const struct plan *plan)
{
	size_t bytes = 0;

	for (size_t i = 0; i < plan->target_nr; i++)
		bytes += target_bytes(&plan->target[i]);
	return bytes;
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

static size_t add_parts(const struct named_list *parts, struct plan *plan)
{
	size_t left_out = 0;
	size_t bytes = (size_t)LIMIT_PLAN_BYTES / 4; /* what is not a target */

	for (size_t i = 0; i < parts->nr; i++) {
		const struct plan *part = &((const struct part *)parts->item[i])->plan;
		size_t part_bytes = targets_bytes(part);
		struct plan copy;

		if (plan->cls_nr + part->cls_nr > LIMIT_PLAN_CLASSES ||
		    plan->target_nr + part->target_nr > LIMIT_PLAN_TARGETS ||
		    bytes + part_bytes > (size_t)LIMIT_PLAN_BYTES) {
			left_out += part->target_nr;
			continue;
		}
		bytes += part_bytes;
		plan_copy(&copy, part);
		move_classes(plan, &copy);
		move_targets(plan, &copy);
		move_boosts(plan, &copy);
		plan_release(&copy);
	}
	return left_out;
}

size_t parts_join(const struct named_list *parts, const struct store *store, const char *node,
		  struct plan *ret_plan)
{
	size_t left_out;

	*ret_plan = (struct plan){ 0 };
	add_default_class(ret_plan, store, node);
	left_out = add_parts(parts, ret_plan);
	plan_normalize(ret_plan);
	return left_out;
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

static bool lowers(const struct plan *from, const struct plan *to)
{
	for (size_t i = 0; i < to->cls_nr; i++) {
		const struct plan_class *old = plan_find_class(from, to->cls[i].id);
		const struct plan_step *new = &to->cls[i].step[0];

		if (old &&
		    (new->rate_hz < old->step[0].rate_hz || (old->step[0].caps & ~new->caps)))
			return true;
	}
	return false;
}

enum hub_lane plan_lane(const struct plan *from, const struct plan *to)
{
	if (!boosts_equal(from, to) || lowers(from, to))
		return HUB_LANE_NOW;
	return plan_equal(from, to) ? HUB_LANE_CHURN : HUB_LANE_EDIT;
}
