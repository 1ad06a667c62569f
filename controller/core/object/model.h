/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_OBJECT_MODEL_H
#define CONTROLLER_CORE_OBJECT_MODEL_H

/* The Kubernetes objects the controller looks at, from the JSON that the API server (or a manifest) gives.
 *
 * Our two kinds are read strictly (policy.h).  Namespace, Node and Pod are read leniently and keep only what we use.
 *
 * Errors.  Every sentence begins with the path of the field, then ": ":
 *	spec.sampleRateHz: 5000 is not in 0..200
 *	spec.selector.matchExpressions[1].operator: "Like" is not one of In, NotIn, Exists, DoesNotExist
 *	spec.samplerate: is not a field; did you mean sampleRateHz?
 * object_error_path() cuts the path out, so that a source can find its line.
 *
 * What manifests may lack and the API server always sets:
 *	metadata.generation		a number derived from the spec's content: another spec, another generation
 *	metadata.creationTimestamp	0, the oldest
 *	metadata.uid			a number derived from kind, namespace and name, in the form of a UUID, stable
 *	status.phase of a Pod		Running
 *	status.containerStatuses	container names come from spec.containers
 */

#include "controller/core/object/pod.h"
#include "controller/core/object/policy.h"
#include "kube/core/watch/json_pick.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#include <jansson.h>

#define PROFILING_GROUP "profiling.rubato.dev"
#define PROFILING_API_VERSION PROFILING_GROUP "/v1alpha1"

enum object_kind {
	OBJECT_POLICY,	       /* ProfilingPolicy */
	OBJECT_CLUSTER_POLICY, /* ClusterProfilingPolicy */
	OBJECT_NAMESPACE,
	OBJECT_NODE,
	OBJECT_POD,
};
#define OBJECT_KIND_NR (OBJECT_POD + 1)

struct object {
	enum object_kind kind;
	bool deleting;
	bool packed; /* a pod that only the store can free (pod_pack.h) */
	char *ns;    /* "" when cluster-scoped */
	char *name;
	char *uid;
	int64_t generation; /* > 0 */
	int64_t created_s;
	char *labels; /* packed, see selector.h */
	union {
		struct policy policy;
		struct cluster_policy cluster;
		struct pod pod;
	};
};

/* "ProfilingPolicy", ... */
const char *object_kind_name(enum object_kind kind);

/* Read one object; *ret_object is the caller's to object_free(), written on success only.
 * -EINVAL: it is wrong (err begins with the field's path).
 * -ENOTSUP: a kind we have no use for ("kind: Deployment is not used here"); the caller may skip
 * it. */
must_check int object_from_json(const json_t *json, struct object **ret_object, struct err *err);

/* The same of a file that whoever runs this machine wrote (`--source`): ANNOTATION_CGROUP counts.  From an API server
 * it never does: whoever may make a pod could take any cgroup of its node, and with it another's stacks. */
must_check int object_from_manifest(const json_t *json, struct object **ret_object,
				    struct err *err);

/* Of an object that object_from_json() refused: kind, names, uid, generation and whether it is being deleted,
 * nothing else.  Names may be longer than there.  -EINVAL when even these are not what the API server gives. */
must_check int object_outline(const json_t *json, enum object_kind kind,
			      struct object **ret_object);

/* What object_from_json() and watch_read.h look at in an object of the kind, for json_pick(); NULL: all of it is
 * looked at. */
const struct json_keep *object_keep(enum object_kind kind);

/* What object_outline() looks at, and the status of a policy: for an object of which object_keep() cannot be read. */
const struct json_keep *object_keep_outline(enum object_kind kind);

void object_free(struct object *object);
static inline void object_freep(struct object **object)
{
	object_free(*object);
}

/* The path that an error of object_from_json() begins with; "" when it begins with none. */
void object_error_path(const struct err *err, char *ret_path, size_t size);

#endif
