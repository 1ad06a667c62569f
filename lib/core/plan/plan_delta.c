/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/limits.h"
#include "lib/core/plan/plan_check.h"
#include "lib/core/plan/plan_json.h"
#include "lib/core/sorted.h"
#include "lib/core/text/json.h"

#include <errno.h>
#include <string.h>

static json_t *new_change(void)
{
	return json_must(json_pack("{s:[],s:[]}", "set", "del"));
}

static void append(json_t *change, const char *member, json_t *value)
{
	if (json_array_append_new(json_object_get(change, member), json_must(value)) < 0)
		json_must(NULL);
}

static json_t *classes_delta(const struct plan *from, const struct plan *to)
{
	json_t *change = new_change();

	for (size_t i = 0; i < to->cls_nr; i++) {
		const struct plan_class *old = plan_find_class(from, to->cls[i].id);

		if (!old || !plan_class_equal(old, &to->cls[i]))
			append(change, "set", plan_class_to_json(&to->cls[i]));
	}
	for (size_t i = 0; i < from->cls_nr; i++)
		if (!plan_find_class(to, from->cls[i].id))
			append(change, "del", json_string(from->cls[i].id));
	return change;
}

static json_t *targets_delta(const struct plan *from, const struct plan *to)
{
	json_t *change = new_change();

	for (size_t i = 0; i < to->target_nr; i++) {
		const struct plan_target *old = plan_find_target(from, to->target[i].uid);

		if (!old || !plan_target_equal(old, &to->target[i]))
			append(change, "set", plan_target_to_json(&to->target[i]));
	}
	for (size_t i = 0; i < from->target_nr; i++)
		if (!plan_find_target(to, from->target[i].uid))
			append(change, "del", json_string(from->target[i].uid));
	return change;
}

json_t *plan_delta_to_json(const struct plan *from, const struct plan *to, int64_t now_ns,
			   int64_t ttl_ms)
{
	return json_must(json_pack("{s:o,s:o,s:o}", "classes", classes_delta(from, to), "targets",
				   targets_delta(from, to), "boosts",
				   plan_boosts_to_json(to, now_ns, ttl_ms)));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct names {
	const char **name; /* sorted, borrowed from the delta */
	size_t nr;
};

static void names_release(struct names *names)
{
	free(names->name);
}

static bool names_have(const struct names *names, const char *name)
{
	return sorted_find(&name, names->name, names->nr, sizeof(name), compare_names);
}

static int read_names(const json_t *change, size_t max, struct names *names, struct err *err)
{
	const json_t *items, *item;
	size_t i;
	int r = json_get_array(change, "del", max, &items, err);

	if (r < 0)
		return r;
	json_array_foreach(items, i, item)
	{
		if (!json_is_string(item))
			return err_set(err, -EINVAL, "del[%zu]: must be a string", i);
		GROW(names->name, names->nr);
		names->name[names->nr++] = json_string_value(item);
	}
	if (names->nr)
		qsort(names->name, names->nr, sizeof(*names->name), compare_names);
	return 0;
}

/* `plan` holds what is set, normalized; what `from` has besides, and what is not deleted, is added.
 */
static void keep_classes(const struct plan *from, const struct names *gone, struct plan *plan)
{
	struct plan changed;

	plan->cls = xrealloc(plan->cls, plan->cls_nr + from->cls_nr, sizeof(*plan->cls));
	changed = *plan;
	for (size_t i = 0; i < from->cls_nr; i++) {
		const char *id = from->cls[i].id;

		if (!names_have(gone, id) && !plan_find_class(&changed, id))
			plan_class_copy(&plan->cls[plan->cls_nr++], &from->cls[i]);
	}
}

static void keep_targets(const struct plan *from, const struct names *gone, struct plan *plan)
{
	struct plan changed;

	plan->target =
		xrealloc(plan->target, plan->target_nr + from->target_nr, sizeof(*plan->target));
	changed = *plan;
	for (size_t i = 0; i < from->target_nr; i++) {
		const char *uid = from->target[i].uid;

		if (!names_have(gone, uid) && !plan_find_target(&changed, uid))
			plan_target_copy(&plan->target[plan->target_nr++], &from->target[i]);
	}
}

/* Fill `plan` with what is set and the others with what is deleted. */
static int read_changes(const json_t *delta, struct plan *plan, struct names *classes_gone,
			struct names *targets_gone, struct err *err)
{
	const json_t *classes = json_object_get(delta, "classes");
	const json_t *targets = json_object_get(delta, "targets");
	int r = plan_classes_from_json(classes, "set", plan, err);

	if (r == 0)
		r = read_names(classes, LIMIT_PLAN_CLASSES, classes_gone, err);
	if (r < 0)
		return err_wrap(err, r, "classes");
	r = plan_targets_from_json(targets, "set", plan, err);
	if (r == 0)
		r = read_names(targets, LIMIT_PLAN_TARGETS, targets_gone, err);
	return r < 0 ? err_wrap(err, r, "targets") : 0;
}

int plan_delta_apply(const struct plan *from, const json_t *delta, int64_t now_ns,
		     struct plan *ret_plan, struct err *err)
{
	cleanup(plan_release) struct plan plan = { 0 };
	cleanup(names_release) struct names classes_gone = { 0 };
	cleanup(names_release) struct names targets_gone = { 0 };
	int r;

	if (!json_is_object(delta))
		return err_set(err, -EINVAL, "a delta must be a JSON object");
	r = read_changes(delta, &plan, &classes_gone, &targets_gone, err);
	if (r == 0)
		r = plan_boosts_from_json(delta, "boosts", now_ns, &plan, err);
	if (r < 0)
		return r;
	plan_normalize(&plan);
	keep_classes(from, &classes_gone, &plan);
	keep_targets(from, &targets_gone, &plan);
	plan_normalize(&plan);
	r = plan_check(&plan, err);
	if (r < 0)
		return r;
	*ret_plan = plan;
	plan = (struct plan){ 0 };
	return 0;
}
