/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/cgroup/container.h"

#include <string.h>

#define CID_SHORT 12

static void set_text(char **dst, const char *src)
{
	if (*dst && strcmp(*dst, src) == 0)
		return;
	free(*dst);
	*dst = xstrdup(src);
}

static void clear_labels(struct container *container)
{
	for (size_t i = 0; i < container->label_nr; i++) {
		free(container->label[i].key);
		free(container->label[i].value);
	}
	free(container->label);
	container->label = NULL;
	container->label_nr = 0;
}

static bool labels_equal(const struct container *container, const struct plan_target *target)
{
	if (container->label_nr != target->label_nr)
		return false;
	for (size_t i = 0; i < target->label_nr; i++)
		if (strcmp(container->label[i].key, target->label[i].key) != 0 ||
		    strcmp(container->label[i].value, target->label[i].value) != 0)
			return false;
	return true;
}

static void set_labels(struct container *container, const struct plan_target *target)
{
	if (labels_equal(container, target))
		return;
	clear_labels(container);
	container->label = xcalloc(target->label_nr, sizeof(*container->label));
	container->label_nr = target->label_nr;
	for (size_t i = 0; i < target->label_nr; i++)
		container->label[i] =
			(struct plan_label){ .key = xstrdup(target->label[i].key),
					     .value = xstrdup(target->label[i].value) };
}

static void set_name(struct container *container, const struct plan_container *planned)
{
	cleanup(freep) char *brief = xstrndup(container->cid, CID_SHORT);

	if (planned)
		set_text(&container->name, planned->name);
	else
		set_text(&container->name, brief[0] ? brief : "_pod");
}

static void set_service(struct container *container, const struct plan_target *target)
{
	cleanup(freep) char *service = target->service
					       ? xstrdup(target->service)
					       : xasprintf("%s/%s", container->ns, container->name);

	set_text(&container->service, service);
}

static void fill(struct container *container, const struct plan_target *target,
		 const struct plan_container *planned)
{
	set_text(&container->ns, target->ns);
	set_text(&container->pod, target->pod);
	set_name(container, planned);
	set_service(container, target);
	set_text(&container->class_id,
		 planned && planned->class_id ? planned->class_id : target->class_id);
	set_labels(container, target);
}

static const struct plan_row *find_row(const struct container *container,
				       const struct plan_index *index)
{
	const struct plan_row *row =
		plan_index_find(index, container->path, strlen(container->path));

	if (!row && container->cid[0])
		row = plan_index_find(index, container->cid, strlen(container->cid));
	return row;
}

void container_bind(struct container *container, const struct plan *plan,
		    const struct plan_index *index)
{
	const struct plan_row *row = find_row(container, index);
	const struct plan_target *target = NULL;

	if (row) {
		fill(container, row->target, row->container);
		return;
	}
	if (plan)
		target = plan_find_target(plan, container->pod_uid);
	if (target) {
		bool sole = target->container_nr == 1 && container->cid[0];

		fill(container, target, sole ? &target->container[0] : NULL);
		return;
	}
	free(container->class_id);
	container->class_id = NULL;
}

void container_release(struct container *container)
{
	clear_labels(container);
	free(container->pod_uid);
	free(container->cid);
	free(container->path);
	free(container->ns);
	free(container->pod);
	free(container->name);
	free(container->service);
	free(container->class_id);
}
