/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/object/model.h"

#include "kube/core/watch/watch_read.h"

/* Lists of names, one beside the other as in the objects.  What the readers of model.c, pod.c and watch_read.c ask for
 * must be in them; test_json_pick reads objects both ways. */

#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}

static const struct json_keep annotations[] = {
	{ .name = "profiles.grafana.com/service_name" },
	{ .name = "resource.opentelemetry.io/service.name" },
	{ .name = "pyroscope.io/service_name" },
	WATCH_KEEP_ANNOTATION,
	END,
};

static const struct json_keep owner[] = {
	{ .name = "kind" }, { .name = "name" }, { .name = "controller" }, END
};

static const struct json_keep metadata[] = {
	WATCH_KEEP_METADATA,
	{ .name = "uid" },
	{ .name = "generation" },
	{ .name = "creationTimestamp" },
	{ .name = "deletionTimestamp" },
	{ .name = "labels" },
	{ .name = "annotations", .member = annotations },
	{ .name = "ownerReferences", .member = owner },
	END,
};

static const struct json_keep container[] = { { .name = "name" }, END };

static const struct json_keep pod_spec[] = {
	{ .name = "nodeName" },
	{ .name = "containers", .member = container },
	{ .name = "initContainers", .member = container },
	{ .name = "ephemeralContainers", .member = container },
	END,
};

static const struct json_keep container_status[] = { { .name = "name" },
						     { .name = "containerID" },
						     END };

static const struct json_keep pod_status[] = {
	{ .name = "phase" },
	{ .name = "containerStatuses", .member = container_status },
	{ .name = "initContainerStatuses", .member = container_status },
	{ .name = "ephemeralContainerStatuses", .member = container_status },
	END,
};

#define ANY_OBJECT                                                                                 \
	{ .name = "apiVersion" }, { .name = "kind" }, { .name = "metadata", .member = metadata },  \
		WATCH_KEEP_STATUS

static const struct json_keep any[] = { ANY_OBJECT, END };

static const struct json_keep pod[] = {
	ANY_OBJECT,
	{ .name = "spec", .member = pod_spec },
	{ .name = "status", .member = pod_status },
	END,
};

const struct json_keep *object_keep(enum object_kind kind)
{
	switch (kind) {
	case OBJECT_POD:
		return pod;
	case OBJECT_NAMESPACE:
	case OBJECT_NODE:
		return any;
	case OBJECT_POLICY:
	case OBJECT_CLUSTER_POLICY:
		break; /* unknown members are errors */
	}
	return NULL;
}

static const struct json_keep outline_metadata[] = {
	WATCH_KEEP_METADATA,
	{ .name = "uid" },
	{ .name = "generation" },
	{ .name = "deletionTimestamp" },
	END,
};

const struct json_keep *object_keep_outline(enum object_kind kind)
{
	static const struct json_keep policy[] = {
		{ .name = "metadata", .member = outline_metadata },
		{ .name = "status" },
		END,
	};
	static const struct json_keep other[] = {
		{ .name = "metadata", .member = outline_metadata },
		END,
	};

	return kind == OBJECT_POLICY || kind == OBJECT_CLUSTER_POLICY ? policy : other;
}
