/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_OBJECT_OBJECT_JSON_H
#define CONTROLLER_CORE_OBJECT_OBJECT_JSON_H

/* What the controller keeps of an object, for people and tests.  Not the manifest: fields that are not used
 * are gone, those that are absent stay away, and lists are in the controller's order.
 *
 *	every kind		kind, namespace (unless cluster-scoped), name, uid, generation (unless 0),
 *				created (Unix seconds), deleting (if true), labels
 *	ProfilingPolicy		sampleRateHz, duration_ns, selector, containers, add, drop, reason
 *	ClusterProfilingPolicy	namespaceSelector, nodeSelector, sampleRateHz, capabilities,
 *				maxSampleRateHz, maxContinuousSampleRateHz, maxDuration_ns, allowedCapabilities
 *	Pod			node, service, done (if true), containers: [{name, id, cgroup}]
 *
 * A selector is [{key, operator, values}], a set of capabilities a list of their names.
 */

#include "controller/core/object/model.h"

/* A new reference. */
json_t *object_to_json(const struct object *object);

#endif
