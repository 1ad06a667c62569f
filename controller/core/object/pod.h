/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_OBJECT_POD_H
#define CONTROLLER_CORE_OBJECT_POD_H

/* What is kept of a pod beyond its metadata. */

#include "lib/core/base.h"
#include "lib/core/err.h"

#include <jansson.h>

/* Of a pod in a manifest (object_from_manifest()): its containers' cgroups by their paths from the cgroup root, for
 * pods without a kubelet. */
#define ANNOTATION_CGROUP "profiling.rubato.dev/cgroup" /* of the only (or first) container */
#define ANNOTATION_CGROUP_OF ANNOTATION_CGROUP "."	/* + container name */

struct pod_container {
	char *name;
	uint8_t *cid; /* container id without its scheme, packed (cid.h); NULL = not known yet */
	char *cgroup; /* path from the cgroup root; NULL = the agent finds it by cid */
};

/* What of a pod no plan can say. */
enum pod_lost {
	POD_LOST_SERVICE,    /* the name in its annotation: too long, or with control characters */
	POD_LOST_CONTAINERS, /* those beyond LIMIT_PLAN_CONTAINERS */
	POD_LOST_LABELS,     /* all: beyond the share of its namespace (store.h) */
	POD_LOST_LABEL,	     /* one that its profiles were to bear; seen by the compiler */
	POD_LOST_POD,	     /* the pod: no agent would take it; likewise */
	POD_LOST_NR
};

/* As a metric's label: "service_name", ... */
const char *pod_lost_name(enum pod_lost lost);

struct pod {
	char *node;	/* NULL = not scheduled */
	char *service;	/* from an annotation; NULL = none */
	char *workload; /* the Deployment's, StatefulSet's, ... name; NULL = none */
	struct pod_container *container; /* sorted by name; init and ephemeral ones too */
	size_t container_nr;
	bool done;     /* Succeeded or Failed: runs no more */
	unsigned lost; /* bits 1 << enum pod_lost */
};

/* Lenient but for names that would become parts of paths.  `json` is the whole object; `cgroups`: the annotations that
 * name cgroups count.  -EINVAL with err; what was allocated before stays in place for the release. */
must_check int pod_from_json(const json_t *json, bool cgroups, struct pod *pod, struct err *err);
void pod_release(struct pod *pod);

#endif
