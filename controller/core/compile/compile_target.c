/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/compile_target.h"

#include <string.h>

#include "controller/core/object/cid.h"
#include "lib/core/limits.h"
#include "lib/core/plan/plan_check.h"

#define LABEL_WORKLOAD "workload" /* in the plan, beside the pod labels that are passed on */

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

/* Returns false when a label that is there cannot be said.  The first of a key stays: a pod's own label does not say what
 * its workload is. */
static bool add_label(struct plan_target *target, const char *key, const char *value)
{
	struct plan_label label = { (char *)key, (char *)value };

	if (!value || target->label_nr == LIMIT_PLAN_LABELS ||
	    (target->label_nr && strcmp(target->label[0].key, key) == 0))
		return true;
	if (plan_label_check(&label, NULL) < 0)
		return false;
	GROW(target->label, target->label_nr);
	target->label[target->label_nr++] =
		(struct plan_label){ .key = xstrdup(key), .value = xstrdup(value) };
	return true;
}

static bool add_labels(struct plan_target *target, const struct object *pod,
		       const struct compile_options *options)
{
	bool all = add_label(target, LABEL_WORKLOAD, pod->pod.workload);

	for (size_t i = 0; options && i < options->label_nr; i++)
		all &= add_label(target, options->label[i],
				 labels_get(pod->labels, options->label[i]));
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
