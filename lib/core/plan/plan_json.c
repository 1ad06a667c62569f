/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/plan/plan_json.h"

#include "lib/core/limits.h"
#include "lib/core/plan/caps.h"
#include "lib/core/plan/plan_check.h"
#include "lib/core/text/json.h"

#include <errno.h>
#include <string.h>

/* jansson's setters fail only without memory or on text that is not UTF-8; a plan holds neither. */
static void set(json_t *obj, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(obj, key, json_must(value)) < 0)
		json_must(NULL);
}

static void set_text(json_t *obj, const char *key, const char *text)
{
	if (text)
		set(obj, key, json_string(text));
}

static void append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, json_must(value)) < 0)
		json_must(NULL);
}

static json_t *step_to_json(const struct plan_step *step)
{
	json_t *obj = json_must(json_object());
	json_t *caps = json_must(json_array());

	set(obj, "hz", json_integer(step->rate_hz));
	for (uint32_t bit = 1; bit && bit <= CAPS_ALL; bit <<= 1)
		if (step->caps & bit)
			append(caps, json_string(capability_name(bit)));
	set(obj, "caps", caps);
	if (step->boost_nr) {
		json_t *boosts = json_must(json_array());

		for (size_t i = 0; i < step->boost_nr; i++)
			append(boosts, json_string(step->boost[i]));
		set(obj, "boosts", boosts);
	}
	return obj;
}

json_t *plan_class_to_json(const struct plan_class *cls)
{
	json_t *obj = json_must(json_object());
	json_t *steps = json_must(json_array());

	for (size_t i = 0; i < cls->step_nr; i++)
		append(steps, step_to_json(&cls->step[i]));
	set_text(obj, "id", cls->id);
	set(obj, "steps", steps);
	return obj;
}

static json_t *container_to_json(const struct plan_container *container)
{
	json_t *obj = json_must(json_object());

	set_text(obj, "name", container->name);
	set_text(obj, "cid", container->cid);
	set_text(obj, "cgroup", container->cgroup);
	set_text(obj, "class", container->class_id);
	return obj;
}

json_t *plan_target_to_json(const struct plan_target *target)
{
	json_t *obj = json_must(json_object());
	json_t *containers = json_must(json_array());

	set_text(obj, "uid", target->uid);
	set_text(obj, "ns", target->ns);
	set_text(obj, "pod", target->pod);
	set_text(obj, "class", target->class_id);
	set_text(obj, "service", target->service);
	for (size_t i = 0; i < target->container_nr; i++)
		append(containers, container_to_json(&target->container[i]));
	set(obj, "containers", containers);
	if (target->label_nr) {
		json_t *labels = json_must(json_object());

		for (size_t i = 0; i < target->label_nr; i++)
			set_text(labels, target->label[i].key, target->label[i].value);
		set(obj, "labels", labels);
	}
	return obj;
}

json_t *plan_boosts_to_json(const struct plan *plan, int64_t now_ns, int64_t ttl_ms)
{
	json_t *boosts = json_must(json_array());

	for (size_t i = 0; i < plan->boost_nr; i++) {
		const struct plan_boost *boost = &plan->boost[i];
		json_t *obj = json_must(json_object());
		int64_t left_ms = (boost->expires_ns - now_ns) / NSEC_PER_MSEC;

		set_text(obj, "id", boost->id);
		set(obj, "expires_in_ms", json_integer(MAX(left_ms, 0)));
		set(obj, "ttl_ms", json_integer(ttl_ms));
		append(boosts, obj);
	}
	return boosts;
}

json_t *plan_to_json(const struct plan *plan, int64_t now_ns, int64_t ttl_ms)
{
	json_t *obj = json_must(json_object());
	json_t *classes = json_must(json_array());
	json_t *targets = json_must(json_array());

	for (size_t i = 0; i < plan->cls_nr; i++)
		append(classes, plan_class_to_json(&plan->cls[i]));
	for (size_t i = 0; i < plan->target_nr; i++)
		append(targets, plan_target_to_json(&plan->target[i]));
	set(obj, "classes", classes);
	set(obj, "targets", targets);
	set(obj, "boosts", plan_boosts_to_json(plan, now_ns, ttl_ms));
	return obj;
}

int plan_from_json(const json_t *json, int64_t now_ns, struct plan *ret_plan, struct err *err)
{
	cleanup(plan_release) struct plan plan = { 0 };
	int r;

	if (!json_is_object(json))
		return err_set(err, -EINVAL, "a plan must be a JSON object");
	r = plan_classes_from_json(json, "classes", &plan, err);
	if (r == 0)
		r = plan_targets_from_json(json, "targets", &plan, err);
	if (r == 0)
		r = plan_boosts_from_json(json, "boosts", now_ns, &plan, err);
	if (r < 0)
		return r;
	plan_normalize(&plan);
	r = plan_check(&plan, err);
	if (r < 0)
		return r;
	*ret_plan = plan;
	plan = (struct plan){ 0 };
	return 0;
}
