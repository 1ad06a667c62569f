/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/limits.h"
#include "lib/core/plan/caps.h"
#include "lib/core/plan/plan_check.h"
#include "lib/core/plan/plan_json.h"
#include "lib/core/text/json.h"

#include <errno.h>
#include <string.h>

static int caps_from_json(const json_t *obj, uint32_t *ret_caps, struct err *err)
{
	const json_t *names, *name;
	uint32_t caps = 0;
	size_t i;
	int r = json_get_array(obj, "caps", 32, &names, err);

	if (r != 0)
		return r;
	json_array_foreach(names, i, name)
	{
		if (!json_is_string(name))
			return err_set(err, -EINVAL, "caps[%zu]: must be a string", i);
		caps |= capability_from_name(json_string_value(name));
	}
	*ret_caps = caps;
	return 0;
}

static int step_from_json(const json_t *item, struct plan_step *step, struct err *err)
{
	const json_t *names;
	int64_t hz;
	int r = json_get_int(item, "hz", 0, LIMIT_SAMPLE_RATE_HZ, &hz, err);

	if (r == 0)
		r = caps_from_json(item, &step->caps, err);
	if (r == 0)
		r = json_get_array(item, "boosts", LIMIT_PLAN_BOOSTS, &names, err);
	if (r != 0)
		return r;
	step->rate_hz = (uint32_t)hz;
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (!name)
			return err_set(err, -EINVAL, "boosts[%zu]: not the id of a boost", i);
		GROW(step->boost, step->boost_nr);
		step->boost[step->boost_nr++] = xstrdup(name);
	}
	return 0;
}

static int class_from_json(const json_t *item, struct plan_class *cls, struct err *err)
{
	const json_t *steps, *step;
	const char *id;
	size_t i;
	int r = json_get_text(item, "id", LIMIT_PLAN_ID_BYTES, &id, err);

	if (r == 0)
		r = json_get_array(item, "steps", LIMIT_PLAN_STEPS, &steps, err);
	if (r != 0)
		return r;
	cls->id = xstrdup(id);
	json_array_foreach(steps, i, step)
	{
		GROW(cls->step, cls->step_nr);
		cls->step[cls->step_nr] = (struct plan_step){ 0 };
		r = step_from_json(step, &cls->step[cls->step_nr++], err);
		if (r != 0)
			return err_wrap(err, r, "steps[%zu]", i);
	}
	return plan_class_check(cls, err);
}

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static int container_from_json(const json_t *item, struct plan_container *container,
			       struct err *err)
{
	const char *name, *cid, *cgroup, *class_id = NULL;
	int r = json_get_name(item, "name", LIMIT_NAME_BYTES, &name, err);

	if (r == 0)
		r = json_get_opt_name(item, "cid", LIMIT_NAME_BYTES, &cid, err);
	if (r == 0)
		r = json_get_opt_name(item, "cgroup", LIMIT_PLAN_CGROUP_BYTES, &cgroup, err);
	if (r == 0 && json_object_get(item, "class"))
		r = json_get_text(item, "class", LIMIT_PLAN_ID_BYTES, &class_id, err);
	if (r != 0)
		return r;
	container->name = xstrdup(name);
	container->cid = copy_text(cid);
	container->cgroup = copy_text(cgroup);
	container->class_id = copy_text(class_id);
	return plan_container_check(container, err);
}

static int containers_from_json(const json_t *item, struct plan_target *target, struct err *err)
{
	const json_t *containers, *container;
	size_t i;
	int r = json_get_array(item, "containers", LIMIT_PLAN_CONTAINERS, &containers, err);

	if (r != 0)
		return r;
	json_array_foreach(containers, i, container)
	{
		GROW(target->container, target->container_nr);
		target->container[target->container_nr] = (struct plan_container){ 0 };
		r = container_from_json(container, &target->container[target->container_nr++], err);
		if (r != 0)
			return err_wrap(err, r, "containers[%zu]", i);
	}
	return 0;
}

static int label_from_json(const json_t *labels, const char *key, struct plan_target *target,
			   struct err *err)
{
	size_t len = strlen(key);
	const char *text;
	int r;

	if (!len || len > LIMIT_PLAN_LABEL_BYTES || !json_text_is_plain(key, len))
		return err_set(err, -EINVAL, "labels: a key is not a label name");
	r = json_get_text(labels, key, LIMIT_NAME_BYTES, &text, err);
	if (r != 0)
		return err_wrap(err, r, "labels");
	GROW(target->label, target->label_nr);
	target->label[target->label_nr++] =
		(struct plan_label){ .key = xstrdup(key), .value = xstrdup(text) };
	return 0;
}

static int labels_from_json(const json_t *item, struct plan_target *target, struct err *err)
{
	json_t *labels = json_object_get(item, "labels");
	const char *key;
	json_t *value;
	int r;

	if (!labels || json_is_null(labels))
		return 0;
	if (!json_is_object(labels) || json_object_size(labels) > LIMIT_PLAN_LABELS)
		return err_set(err, -EINVAL, "labels: must be an object of at most %d members",
			       LIMIT_PLAN_LABELS);
	json_object_foreach(labels, key, value)
	{
		r = label_from_json(labels, key, target, err);
		if (r != 0)
			return r;
	}
	return 0;
}

static int target_from_json(const json_t *item, struct plan_target *target, struct err *err)
{
	const char *uid, *ns, *pod, *class_id, *service;
	int r = json_get_name(item, "uid", LIMIT_NAME_BYTES, &uid, err);

	if (r == 0)
		r = json_get_name(item, "ns", LIMIT_NAME_BYTES, &ns, err);
	if (r == 0)
		r = json_get_name(item, "pod", LIMIT_NAME_BYTES, &pod, err);
	if (r == 0)
		r = json_get_text(item, "class", LIMIT_PLAN_ID_BYTES, &class_id, err);
	if (r == 0)
		r = json_get_opt_name(item, "service", LIMIT_NAME_BYTES, &service, err);
	if (r != 0)
		return r;
	target->uid = xstrdup(uid);
	target->ns = xstrdup(ns);
	target->pod = xstrdup(pod);
	target->class_id = xstrdup(class_id);
	target->service = copy_text(service);
	r = containers_from_json(item, target, err);
	if (r == 0)
		r = labels_from_json(item, target, err);
	return r == 0 ? plan_target_check(target, err) : r;
}

int plan_classes_from_json(const json_t *obj, const char *key, struct plan *plan, struct err *err)
{
	const json_t *items, *item;
	size_t i;
	int r = json_get_array(obj, key, LIMIT_PLAN_CLASSES, &items, err);

	if (r != 0)
		return r;
	json_array_foreach(items, i, item)
	{
		GROW(plan->cls, plan->cls_nr);
		plan->cls[plan->cls_nr] = (struct plan_class){ 0 };
		r = class_from_json(item, &plan->cls[plan->cls_nr++], err);
		if (r != 0)
			return err_wrap(err, r, "%s[%zu]", key, i);
	}
	return 0;
}

int plan_targets_from_json(const json_t *obj, const char *key, struct plan *plan, struct err *err)
{
	const json_t *items, *item;
	size_t i;
	int r = json_get_array(obj, key, LIMIT_PLAN_TARGETS, &items, err);

	if (r != 0)
		return r;
	json_array_foreach(items, i, item)
	{
		GROW(plan->target, plan->target_nr);
		plan->target[plan->target_nr] = (struct plan_target){ 0 };
		r = target_from_json(item, &plan->target[plan->target_nr++], err);
		if (r != 0)
			return err_wrap(err, r, "%s[%zu]", key, i);
	}
	return 0;
}

int plan_boost_from_json(const json_t *item, int64_t now_ns, const char **ret_id,
			 struct plan_boost *ret_clock, struct err *err)
{
	const int64_t max_ms = LIMIT_BOOST_NS_MAX / NSEC_PER_MSEC;
	int64_t expires_in_ms, ttl_ms;
	const char *id;
	int r = json_get_name(item, "id", LIMIT_PLAN_ID_BYTES, &id, err);

	if (r == 0)
		r = json_get_int(item, "expires_in_ms", 0, max_ms, &expires_in_ms, err);
	if (r == 0)
		r = json_get_int(item, "ttl_ms", 0, max_ms, &ttl_ms, err);
	if (r != 0)
		return r;
	*ret_id = id;
	ret_clock->expires_ns = now_ns + expires_in_ms * NSEC_PER_MSEC;
	ret_clock->dead_man_ns = now_ns + ttl_ms * NSEC_PER_MSEC;
	return 0;
}

int plan_boosts_from_json(const json_t *obj, const char *key, int64_t now_ns, struct plan *plan,
			  struct err *err)
{
	const json_t *items, *item;
	size_t i;
	int r = json_get_array(obj, key, LIMIT_PLAN_BOOSTS, &items, err);

	if (r != 0)
		return r;
	json_array_foreach(items, i, item)
	{
		struct plan_boost boost = { 0 };
		const char *id;

		r = plan_boost_from_json(item, now_ns, &id, &boost, err);
		if (r != 0)
			return err_wrap(err, r, "%s[%zu]", key, i);
		boost.id = xstrdup(id);
		r = plan_boost_check(&boost, err);
		GROW(plan->boost, plan->boost_nr);
		plan->boost[plan->boost_nr++] = boost;
		if (r != 0)
			return err_wrap(err, r, "%s[%zu]", key, i);
	}
	return 0;
}

int plan_refresh_boosts(struct plan *plan, const json_t *boosts, int64_t now_ns, struct err *err)
{
	const json_t *item;
	size_t i;
	int refreshed = 0;

	if (!json_is_array(boosts) || json_array_size(boosts) > LIMIT_PLAN_BOOSTS)
		return err_set(err, -EINVAL, "boosts: must be a list of at most %d elements",
			       LIMIT_PLAN_BOOSTS);
	for (int apply = 0; apply < 2; apply++) {
		json_array_foreach(boosts, i, item)
		{
			struct plan_boost clock, *boost;
			const char *id;
			int r = plan_boost_from_json(item, now_ns, &id, &clock, err);

			if (r != 0)
				return err_wrap(err, r, "boosts[%zu]", i);
			boost = apply ? plan_find_boost(plan, id) : NULL;
			if (!boost)
				continue;
			boost->expires_ns = clock.expires_ns;
			boost->dead_man_ns = clock.dead_man_ns;
			refreshed++;
		}
	}
	return refreshed;
}
