/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/plan/plan_check.h"

#include <errno.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/text/json.h"

static int check_text(const char *member, const char *text, size_t max, struct err *err)
{
	size_t len = strlen(text);

	if (len > max)
		return err_set(err, -EINVAL, "%s: longer than %zu bytes", member, max);
	if (!json_text_is_plain(text, len))
		return err_set(err, -EINVAL, "%s: has control characters", member);
	return 0;
}

static int check_name(const char *member, const char *text, size_t max, struct err *err)
{
	if (!text[0])
		return err_set(err, -EINVAL, "%s: must not be empty", member);
	return check_text(member, text, max, err);
}

static int check_opt_name(const char *member, const char *text, size_t max, struct err *err)
{
	return text ? check_name(member, text, max, err) : 0;
}

bool plan_name_valid(const char *name)
{
	return check_name("", name, LIMIT_NAME_BYTES, NULL) == 0;
}

bool plan_cgroup_valid(const char *path)
{
	if (*path != '/')
		return false;
	while (*path == '/') {
		size_t len = strcspn(++path, "/");

		if (len == 0 || (len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += len;
	}
	return true;
}

/* --- classes --- */

static int check_step(const struct plan_step *step, struct err *err)
{
	if (step->rate_hz > LIMIT_SAMPLE_RATE_HZ)
		return err_set(err, -EINVAL, "hz: %u is not in 0..%d", step->rate_hz,
			       LIMIT_SAMPLE_RATE_HZ);
	if (step->boost_nr > LIMIT_PLAN_BOOSTS)
		return err_set(err, -EINVAL, "boosts: more than %d", LIMIT_PLAN_BOOSTS);
	for (size_t i = 0; i < step->boost_nr; i++)
		if (check_name("boosts", step->boost[i], LIMIT_PLAN_ID_BYTES, NULL) < 0)
			return err_set(err, -EINVAL, "boosts[%zu]: not the id of a boost", i);
	return 0;
}

int plan_class_check(const struct plan_class *cls, struct err *err)
{
	int r = check_text("id", cls->id, LIMIT_PLAN_ID_BYTES, err);

	if (r < 0)
		return r;
	if (!cls->step_nr)
		return err_set(err, -EINVAL, "steps: must have at least one");
	if (cls->step_nr > LIMIT_PLAN_STEPS)
		return err_set(err, -EINVAL, "steps: more than %d", LIMIT_PLAN_STEPS);
	for (size_t i = 0; i < cls->step_nr; i++) {
		r = check_step(&cls->step[i], err);
		if (r < 0)
			return err_wrap(err, r, "steps[%zu]", i);
	}
	if (cls->step[cls->step_nr - 1].boost_nr)
		return err_set(err, -EINVAL, "steps[%zu]: the last step must name no boost",
			       cls->step_nr - 1);
	return 0;
}

/* --- targets --- */

int plan_container_check(const struct plan_container *container, struct err *err)
{
	int r = check_name("name", container->name, LIMIT_NAME_BYTES, err);

	if (r == 0)
		r = check_opt_name("cid", container->cid, LIMIT_NAME_BYTES, err);
	if (r == 0)
		r = check_opt_name("cgroup", container->cgroup, LIMIT_PLAN_CGROUP_BYTES, err);
	if (r == 0 && container->class_id)
		r = check_text("class", container->class_id, LIMIT_PLAN_ID_BYTES, err);
	if (r == 0 && container->cgroup && !plan_cgroup_valid(container->cgroup))
		r = err_set(err, -EINVAL, "cgroup: must be an absolute path without \"..\"");
	return r;
}

int plan_label_check(const struct plan_label *label, struct err *err)
{
	int r;

	if (check_name("", label->key, LIMIT_PLAN_LABEL_BYTES, NULL) < 0)
		return err_set(err, -EINVAL, "labels: a key is not a label name");
	r = check_text("value", label->value, LIMIT_NAME_BYTES, err);
	return r < 0 ? err_wrap(err, r, "labels") : 0;
}

static int check_containers(const struct plan_target *target, struct err *err)
{
	if (target->container_nr > LIMIT_PLAN_CONTAINERS)
		return err_set(err, -EINVAL, "containers: more than %d", LIMIT_PLAN_CONTAINERS);
	for (size_t i = 0; i < target->container_nr; i++) {
		int r = plan_container_check(&target->container[i], err);

		if (r < 0)
			return err_wrap(err, r, "containers[%zu]", i);
	}
	return 0;
}

static int check_labels(const struct plan_target *target, struct err *err)
{
	int r = 0;

	if (target->label_nr > LIMIT_PLAN_LABELS)
		return err_set(err, -EINVAL, "labels: more than %d", LIMIT_PLAN_LABELS);
	for (size_t i = 0; r == 0 && i < target->label_nr; i++)
		r = plan_label_check(&target->label[i], err);
	return r;
}

int plan_target_check(const struct plan_target *target, struct err *err)
{
	int r = check_name("uid", target->uid, LIMIT_NAME_BYTES, err);

	if (r == 0)
		r = check_name("ns", target->ns, LIMIT_NAME_BYTES, err);
	if (r == 0)
		r = check_name("pod", target->pod, LIMIT_NAME_BYTES, err);
	if (r == 0)
		r = check_text("class", target->class_id, LIMIT_PLAN_ID_BYTES, err);
	if (r == 0)
		r = check_opt_name("service", target->service, LIMIT_NAME_BYTES, err);
	if (r == 0)
		r = check_containers(target, err);
	return r == 0 ? check_labels(target, err) : r;
}

int plan_boost_check(const struct plan_boost *boost, struct err *err)
{
	return check_name("id", boost->id, LIMIT_PLAN_ID_BYTES, err);
}

/* --- the whole --- */

static bool has_unknown_class(const struct plan *plan, const struct plan_target *target,
			      const char **ret_id)
{
	*ret_id = target->class_id;
	if (!plan_find_class(plan, target->class_id))
		return true;
	for (size_t i = 0; i < target->container_nr; i++) {
		*ret_id = target->container[i].class_id;
		if (*ret_id && !plan_find_class(plan, *ret_id))
			return true;
	}
	return false;
}

static int check_class(const struct plan *plan, const struct plan_class *cls, struct err *err)
{
	for (size_t i = 0; i < cls->step_nr; i++) {
		const struct plan_step *step = &cls->step[i];

		for (size_t k = 0; k < step->boost_nr; k++) {
			const char *id = step->boost[k];

			if (!plan_find_boost((struct plan *)plan, id))
				return err_set(
					err, -EINVAL,
					"class \"%s\": boost \"%s\" has no clock in \"boosts\"",
					cls->id, id);
		}
	}
	return 0;
}

int plan_check(const struct plan *plan, struct err *err)
{
	const char *id;
	int r;

	if (plan->cls_nr > LIMIT_PLAN_CLASSES)
		return err_set(err, -EINVAL, "classes: more than %d", LIMIT_PLAN_CLASSES);
	if (plan->target_nr > LIMIT_PLAN_TARGETS)
		return err_set(err, -EINVAL, "targets: more than %d", LIMIT_PLAN_TARGETS);
	if (plan->boost_nr > LIMIT_PLAN_BOOSTS)
		return err_set(err, -EINVAL, "boosts: more than %d", LIMIT_PLAN_BOOSTS);
	for (size_t i = 0; i < plan->cls_nr; i++) {
		r = check_class(plan, &plan->cls[i], err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < plan->target_nr; i++)
		if (has_unknown_class(plan, &plan->target[i], &id))
			return err_set(err, -EINVAL, "target \"%s\": class \"%s\" does not exist",
				       plan->target[i].uid, id);
	return 0;
}
