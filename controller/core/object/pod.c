/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/object/pod.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/object/cid.h"
#include "controller/core/object/fields.h"
#include "lib/core/limits.h"
#include "lib/core/plan/plan_check.h"
#include "lib/core/text/json.h"

#define JOB_DIGITS 8 /* of the minute that a CronJob's Job is named by */

const char *pod_lost_name(enum pod_lost lost)
{
	static const char *const name[POD_LOST_NR] = {
		[POD_LOST_SERVICE] = "service_name",
		[POD_LOST_CONTAINERS] = "containers",
		[POD_LOST_LABELS] = "labels",
		[POD_LOST_LABEL] = "label",
		[POD_LOST_POD] = "pod",
	};

	return name[lost];
}

static const char *get_string(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : NULL;
}

static struct pod_container *find_container(struct pod *pod, const char *name)
{
	for (size_t i = 0; i < pod->container_nr; i++)
		if (strcmp(pod->container[i].name, name) == 0)
			return &pod->container[i];
	return NULL;
}

/* Names come from the spec; statuses of containers that it does not have are of no use. */
static void read_names(struct pod *pod, const json_t *spec, const char *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(spec, list), i, item)
	{
		const char *name = get_string(item, "name");

		if (!name_valid(name, 63, true) || find_container(pod, name))
			continue;
		if (pod->container_nr == LIMIT_PLAN_CONTAINERS) {
			pod->lost |= 1U << POD_LOST_CONTAINERS;
			return;
		}
		GROW(pod->container, pod->container_nr);
		pod->container[pod->container_nr++] =
			(struct pod_container){ .name = xstrdup(name) };
	}
}

/* "containerd://HEX" -> HEX; NULL when it is not an id. */
static const char *bare_id(const char *text)
{
	const char *slash = text ? strstr(text, "://") : NULL;
	const char *id = slash ? slash + 3 : text;
	size_t len = id ? strlen(id) : 0;

	if (len == 0 || len > CID_DIGITS_MAX || strspn(id, "0123456789abcdef") != len)
		return NULL;
	return id;
}

static void read_ids(struct pod *pod, const json_t *status, const char *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(status, list), i, item)
	{
		const char *name = get_string(item, "name");
		const char *cid = bare_id(get_string(item, "containerID"));
		struct pod_container *container = name ? find_container(pod, name) : NULL;

		if (container && cid && !container->cid)
			container->cid = cid_pack(cid);
	}
}

/* With or without a "/" in front it is a path from the cgroup root. */
static int set_cgroup(struct pod_container *container, const char *path, const char *annotation,
		      struct err *err)
{
	cleanup(freep) char *whole = xasprintf("%s%s", *path == '/' ? "" : "/", path);
	size_t len = strlen(whole);

	if (len > LIMIT_PLAN_CGROUP_BYTES || !json_text_is_plain(whole, len) ||
	    !plan_cgroup_valid(whole))
		return err_set(err, -EINVAL,
			       "metadata.annotations.%s: is not a path below the cgroup root",
			       annotation);
	free(container->cgroup);
	container->cgroup = TAKE_PTR(whole);
	return 0;
}

/* The annotation without a container's name is for the first container of the spec. */
static int read_cgroups(struct pod *pod, const json_t *annotations, struct err *err)
{
	const char *path = get_string(annotations, ANNOTATION_CGROUP);
	char key[128];
	int r;

	if (path && !pod->container_nr) {
		GROW(pod->container, pod->container_nr);
		pod->container[pod->container_nr++] =
			(struct pod_container){ .name = xstrdup("main") };
	}
	if (path) {
		r = set_cgroup(&pod->container[0], path, ANNOTATION_CGROUP, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < pod->container_nr; i++) {
		snprintf(key, sizeof(key), ANNOTATION_CGROUP_OF "%s", pod->container[i].name);
		path = get_string(annotations, key);
		r = path ? set_cgroup(&pod->container[i], path, key, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static void read_service(struct pod *pod, const json_t *annotations)
{
	static const char *const key[] = { "profiles.grafana.com/service_name",
					   "resource.opentelemetry.io/service.name",
					   "pyroscope.io/service_name" };

	for (size_t i = 0; i < ARRAY_SIZE(key) && !pod->service; i++) {
		const char *name = get_string(annotations, key[i]);

		if (name && plan_name_valid(name))
			pod->service = xstrdup(name);
		else if (name)
			pod->lost |= 1U << POD_LOST_SERVICE;
	}
}

/* What of a name ends in "-TAIL"; all of it when it does not. */
static size_t without_tail(const char *name, const char *tail)
{
	size_t len = strlen(name), tail_len = strlen(tail);
	size_t stem = len > tail_len + 1 ? len - tail_len - 1 : 0;

	return stem && name[stem] == '-' && strcmp(name + stem + 1, tail) == 0 ? stem : len;
}

/* Of a ReplicaSet's name what its Deployment's is, of a CronJob's Job what the CronJob's is: the rest is another one each
 * time. */
static size_t stem(const char *kind, const char *name, const char *hash)
{
	const char *dash = strrchr(name, '-');

	if (strcmp(kind, "ReplicaSet") == 0 && hash)
		return without_tail(name, hash);
	if (strcmp(kind, "Job") == 0 && dash && strlen(dash + 1) >= JOB_DIGITS &&
	    !dash[1 + strspn(dash + 1, "0123456789")])
		return without_tail(name, dash + 1);
	return strlen(name);
}

static void read_workload(struct pod *pod, const json_t *metadata)
{
	const char *hash = get_string(json_object_get(metadata, "labels"), "pod-template-hash");
	const json_t *owner;
	size_t i;

	json_array_foreach(json_object_get(metadata, "ownerReferences"), i, owner)
	{
		const char *kind = get_string(owner, "kind"), *name = get_string(owner, "name");

		if (pod->workload || !json_is_true(json_object_get(owner, "controller")) || !kind ||
		    !name || !name_valid(name, LIMIT_NAME_BYTES, false))
			continue;
		pod->workload = xstrndup(name, stem(kind, name, hash));
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pod_container *)a)->name,
		      ((const struct pod_container *)b)->name);
}

int pod_from_json(const json_t *json, bool cgroups, struct pod *pod, struct err *err)
{
	const json_t *metadata = json_object_get(json, "metadata");
	const json_t *annotations = json_object_get(metadata, "annotations");
	const json_t *spec = json_object_get(json, "spec");
	const json_t *status = json_object_get(json, "status");
	const char *node = get_string(spec, "nodeName");
	const char *phase = get_string(status, "phase");
	int r;

	if (node && !name_valid(node, LIMIT_NAME_BYTES, false))
		return err_set(err, -EINVAL, "spec.nodeName: is not a node's name");
	pod->node = node ? xstrdup(node) : NULL;
	pod->done = phase && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0);
	read_names(pod, spec, "containers");
	read_names(pod, spec, "initContainers");
	read_names(pod, spec, "ephemeralContainers");
	r = cgroups ? read_cgroups(pod, annotations, err) : 0;
	if (r < 0)
		return r;
	read_ids(pod, status, "containerStatuses");
	read_ids(pod, status, "initContainerStatuses");
	read_ids(pod, status, "ephemeralContainerStatuses");
	read_service(pod, annotations);
	read_workload(pod, metadata);
	if (pod->container_nr > 1)
		qsort(pod->container, pod->container_nr, sizeof(*pod->container), by_name);
	return 0;
}

void pod_release(struct pod *pod)
{
	for (size_t i = 0; i < pod->container_nr; i++) {
		free(pod->container[i].name);
		free(pod->container[i].cid);
		free(pod->container[i].cgroup);
	}
	free(pod->container);
	free(pod->node);
	free(pod->service);
	free(pod->workload);
}
