/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/compile_target.h"

#include <string.h>

#include "controller/core/object/cid.h"
#include "lib/core/limits.h"
#include "lib/core/plan/plan_check.h"

static void add_containers(struct plan_target *target, const struct object *pod,
			   const struct plan_class *cls, const size_t *container_class)
{
	for (size_t i = 0; i < pod->pod.container_nr; i++) {
		const struct pod_container *container = &pod->pod.container[i];
		const char *id = cls[container_class[i]].id;

		GROW(target->container, target->container_nr);
		target->container[target->container_nr++] = (struct plan_container){
			.name = xstrdup(container->name),
			.cid = cid_text(container->cid),
			.cgroup = container->cgroup ? xstrdup(container->cgroup) : NULL,
			.class_id = strcmp(id, target->class_id) ? xstrdup(id) : NULL,
		};
	}
}

/* Returns false when a label that is there cannot be said. */
static bool add_labels(struct plan_target *target, const struct object *pod,
		       const struct compile_options *options)
{
	bool all = true;

	for (size_t i = 0; options && i < options->label_nr; i++) {
		const char *key = options->label[i];
		const char *value = labels_get(pod->labels, key);
		struct plan_label label = { (char *)key, (char *)value };

		if (!value || target->label_nr == LIMIT_PLAN_LABELS)
			continue;
		if (plan_label_check(&label, NULL) < 0) {
			all = false;
			continue;
		}
		GROW(target->label, target->label_nr);
		target->label[target->label_nr++] =
			(struct plan_label){ .key = xstrdup(key), .value = xstrdup(value) };
	}
	return all;
}

unsigned target_make(struct plan_target *ret_target, const struct object *pod,
		     const struct plan_class *cls, size_t pod_class, const size_t *container_class,
		     const struct compile_options *options)
{
	const char *service = pod->pod.service;
	unsigned lost = pod->pod.lost;
	struct plan_target target = {
		.uid = xstrdup(pod->uid),
		.ns = xstrdup(pod->ns),
		.pod = xstrdup(pod->name),
		.service = service && plan_name_valid(service) ? xstrdup(service) : NULL,
		.class_id = xstrdup(cls[pod_class].id),
	};

	add_containers(&target, pod, cls, container_class);
	if (!add_labels(&target, pod, options))
		lost |= 1U << POD_LOST_LABEL;
	if (plan_target_check(&target, NULL) < 0) {
		plan_target_release(&target);
		return lost | 1U << POD_LOST_POD;
	}
	*ret_target = target;
	return lost;
}
