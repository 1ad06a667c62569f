/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/plan/plan.h"

#include <string.h>

#include "lib/core/sorted.h"

/* Each element begins with its key, so that one comparison serves all arrays. */
_Static_assert(offsetof(struct plan_class, id) == 0, "key first");
_Static_assert(offsetof(struct plan_target, uid) == 0, "key first");
_Static_assert(offsetof(struct plan_container, name) == 0, "key first");
_Static_assert(offsetof(struct plan_label, key) == 0, "key first");
_Static_assert(offsetof(struct plan_boost, id) == 0, "key first");

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Equal keys keep their order: the pointers point into one array. */
static int compare_places(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	int r = compare_keys(x, y);

	return r ? r : (x > y) - (x < y);
}

static bool is_sorted(const char *array, size_t nr, size_t size)
{
	for (size_t i = 1; i < nr; i++)
		if (compare_keys(array + (i - 1) * size, array + i * size) >= 0)
			return false;
	return true;
}

/* Returns how many are left. */
static size_t sort_unique(void *array, size_t nr, size_t size, void (*release)(void *))
{
	cleanup(freep) char **place = NULL;
	cleanup(freep) char *sorted = NULL;
	size_t kept = 0;

	if (is_sorted(array, nr, size))
		return nr;
	place = xcalloc(nr, sizeof(*place));
	sorted = xcalloc(nr, size);
	for (size_t i = 0; i < nr; i++)
		place[i] = (char *)array + i * size;
	qsort(place, nr, sizeof(*place), compare_places);
	for (size_t i = 0; i < nr; i++) {
		if (kept && compare_keys(sorted + (kept - 1) * size, place[i]) == 0)
			release(place[i]);
		else
			memcpy(sorted + kept++ * size, place[i], size);
	}
	memcpy(array, sorted, kept * size);
	return kept;
}

static void *find(const char *key, const void *array, size_t nr, size_t size)
{
	return sorted_find(&key, array, nr, size, compare_keys);
}

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

void plan_step_release(struct plan_step *step)
{
	for (size_t i = 0; i < step->boost_nr; i++)
		free(step->boost[i]);
	free(step->boost);
}

void plan_class_release(struct plan_class *cls)
{
	for (size_t i = 0; i < cls->step_nr; i++)
		plan_step_release(&cls->step[i]);
	free(cls->step);
	free(cls->id);
}

static void container_release(struct plan_container *container)
{
	free(container->name);
	free(container->cid);
	free(container->cgroup);
	free(container->class_id);
}

static void label_release(struct plan_label *label)
{
	free(label->key);
	free(label->value);
}

void plan_target_release(struct plan_target *target)
{
	for (size_t i = 0; i < target->container_nr; i++)
		container_release(&target->container[i]);
	for (size_t i = 0; i < target->label_nr; i++)
		label_release(&target->label[i]);
	free(target->container);
	free(target->label);
	free(target->uid);
	free(target->ns);
	free(target->pod);
	free(target->service);
	free(target->class_id);
}

void plan_boost_release(struct plan_boost *boost)
{
	free(boost->id);
}

void plan_release(struct plan *plan)
{
	for (size_t i = 0; i < plan->cls_nr; i++)
		plan_class_release(&plan->cls[i]);
	for (size_t i = 0; i < plan->target_nr; i++)
		plan_target_release(&plan->target[i]);
	for (size_t i = 0; i < plan->boost_nr; i++)
		plan_boost_release(&plan->boost[i]);
	free(plan->cls);
	free(plan->target);
	free(plan->boost);
	*plan = (struct plan){ 0 };
}

static void step_copy(struct plan_step *dst, const struct plan_step *src)
{
	*dst = *src;
	dst->boost = src->boost_nr ? xcalloc(src->boost_nr, sizeof(*dst->boost)) : NULL;
	for (size_t i = 0; i < src->boost_nr; i++)
		dst->boost[i] = xstrdup(src->boost[i]);
}

void plan_class_copy(struct plan_class *dst, const struct plan_class *src)
{
	dst->id = xstrdup(src->id);
	dst->step_nr = src->step_nr;
	dst->step = src->step_nr ? xcalloc(src->step_nr, sizeof(*dst->step)) : NULL;
	for (size_t i = 0; i < src->step_nr; i++)
		step_copy(&dst->step[i], &src->step[i]);
}

static void container_copy(struct plan_container *dst, const struct plan_container *src)
{
	dst->name = xstrdup(src->name);
	dst->cid = copy_text(src->cid);
	dst->cgroup = copy_text(src->cgroup);
	dst->class_id = copy_text(src->class_id);
}

void plan_target_copy(struct plan_target *dst, const struct plan_target *src)
{
	*dst = (struct plan_target){
		.uid = xstrdup(src->uid),
		.ns = copy_text(src->ns),
		.pod = copy_text(src->pod),
		.service = copy_text(src->service),
		.class_id = copy_text(src->class_id),
		.container_nr = src->container_nr,
		.label_nr = src->label_nr,
	};
	if (src->container_nr)
		dst->container = xcalloc(src->container_nr, sizeof(*dst->container));
	for (size_t i = 0; i < src->container_nr; i++)
		container_copy(&dst->container[i], &src->container[i]);
	if (src->label_nr)
		dst->label = xcalloc(src->label_nr, sizeof(*dst->label));
	for (size_t i = 0; i < src->label_nr; i++) {
		dst->label[i].key = xstrdup(src->label[i].key);
		dst->label[i].value = xstrdup(src->label[i].value);
	}
}

void plan_copy(struct plan *dst, const struct plan *src)
{
	*dst = (struct plan){
		.cls_nr = src->cls_nr,
		.target_nr = src->target_nr,
		.boost_nr = src->boost_nr,
	};
	if (src->cls_nr)
		dst->cls = xcalloc(src->cls_nr, sizeof(*dst->cls));
	for (size_t i = 0; i < src->cls_nr; i++)
		plan_class_copy(&dst->cls[i], &src->cls[i]);
	if (src->target_nr)
		dst->target = xcalloc(src->target_nr, sizeof(*dst->target));
	for (size_t i = 0; i < src->target_nr; i++)
		plan_target_copy(&dst->target[i], &src->target[i]);
	if (src->boost_nr)
		dst->boost = xcalloc(src->boost_nr, sizeof(*dst->boost));
	for (size_t i = 0; i < src->boost_nr; i++) {
		dst->boost[i] = src->boost[i];
		dst->boost[i].id = xstrdup(src->boost[i].id);
	}
}

static void release_class(void *element)
{
	plan_class_release(element);
}

static void release_target(void *element)
{
	plan_target_release(element);
}

static void release_boost(void *element)
{
	plan_boost_release(element);
}

static void release_container(void *element)
{
	container_release(element);
}

static void release_label(void *element)
{
	label_release(element);
}

static void normalize_class(struct plan_class *cls)
{
	for (size_t i = 0; i < cls->step_nr; i++) {
		struct plan_step *step = &cls->step[i];

		step->boost_nr =
			sort_unique(step->boost, step->boost_nr, sizeof(*step->boost), freep);
	}
}

static void normalize_target(struct plan_target *target)
{
	target->container_nr = sort_unique(target->container, target->container_nr,
					   sizeof(*target->container), release_container);
	target->label_nr =
		sort_unique(target->label, target->label_nr, sizeof(*target->label), release_label);
}

void plan_normalize(struct plan *plan)
{
	for (size_t i = 0; i < plan->cls_nr; i++)
		normalize_class(&plan->cls[i]);
	for (size_t i = 0; i < plan->target_nr; i++)
		normalize_target(&plan->target[i]);
	plan->cls_nr = sort_unique(plan->cls, plan->cls_nr, sizeof(*plan->cls), release_class);
	plan->target_nr =
		sort_unique(plan->target, plan->target_nr, sizeof(*plan->target), release_target);
	plan->boost_nr =
		sort_unique(plan->boost, plan->boost_nr, sizeof(*plan->boost), release_boost);
}

const struct plan_class *plan_find_class(const struct plan *plan, const char *id)
{
	return find(id, plan->cls, plan->cls_nr, sizeof(*plan->cls));
}

const struct plan_target *plan_find_target(const struct plan *plan, const char *uid)
{
	return find(uid, plan->target, plan->target_nr, sizeof(*plan->target));
}

struct plan_boost *plan_find_boost(const struct plan *plan, const char *id)
{
	return find(id, plan->boost, plan->boost_nr, sizeof(*plan->boost));
}

int64_t plan_boost_end_ns(const struct plan_boost *boost)
{
	return boost->dead_man_ns ? MIN(boost->expires_ns, boost->dead_man_ns) : boost->expires_ns;
}

static bool step_equal(const struct plan_step *a, const struct plan_step *b)
{
	if (a->rate_hz != b->rate_hz || a->caps != b->caps || a->boost_nr != b->boost_nr)
		return false;
	for (size_t i = 0; i < a->boost_nr; i++)
		if (strcmp(a->boost[i], b->boost[i]) != 0)
			return false;
	return true;
}

bool plan_class_equal(const struct plan_class *a, const struct plan_class *b)
{
	if (strcmp(a->id, b->id) != 0 || a->step_nr != b->step_nr)
		return false;
	for (size_t i = 0; i < a->step_nr; i++)
		if (!step_equal(&a->step[i], &b->step[i]))
			return false;
	return true;
}

static bool container_equal(const struct plan_container *a, const struct plan_container *b)
{
	return strcmp(a->name, b->name) == 0 && same_text(a->cid, b->cid) &&
	       same_text(a->cgroup, b->cgroup) && same_text(a->class_id, b->class_id);
}

static bool labels_equal(const struct plan_target *a, const struct plan_target *b)
{
	if (a->label_nr != b->label_nr)
		return false;
	for (size_t i = 0; i < a->label_nr; i++)
		if (strcmp(a->label[i].key, b->label[i].key) != 0 ||
		    strcmp(a->label[i].value, b->label[i].value) != 0)
			return false;
	return true;
}

bool plan_target_equal(const struct plan_target *a, const struct plan_target *b)
{
	if (strcmp(a->uid, b->uid) != 0 || !same_text(a->ns, b->ns) || !same_text(a->pod, b->pod))
		return false;
	if (!same_text(a->service, b->service) || !same_text(a->class_id, b->class_id))
		return false;
	if (a->container_nr != b->container_nr || !labels_equal(a, b))
		return false;
	for (size_t i = 0; i < a->container_nr; i++)
		if (!container_equal(&a->container[i], &b->container[i]))
			return false;
	return true;
}

bool plan_equal(const struct plan *a, const struct plan *b)
{
	if (a->cls_nr != b->cls_nr || a->target_nr != b->target_nr)
		return false;
	for (size_t i = 0; i < a->cls_nr; i++)
		if (!plan_class_equal(&a->cls[i], &b->cls[i]))
			return false;
	for (size_t i = 0; i < a->target_nr; i++)
		if (!plan_target_equal(&a->target[i], &b->target[i]))
			return false;
	return true;
}
