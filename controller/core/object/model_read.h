/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_OBJECT_MODEL_READ_H
#define CONTROLLER_CORE_OBJECT_MODEL_READ_H

/* The parts of model.c that live in files of their own: what one kind keeps beyond its metadata. */

#include "controller/core/object/model.h"

/* Strict.  `json` is the whole object.  What was allocated before an error stays in place for the
 * release. */
must_check int policy_from_json(const json_t *json, struct policy *policy, struct err *err);
must_check int cluster_policy_from_json(const json_t *json, struct cluster_policy *policy,
					struct err *err);
void policy_release(struct policy *policy);
void cluster_policy_release(struct cluster_policy *policy);

/* Lenient but for names that would become parts of paths.  `cgroups`: the annotations that name cgroups count. */
must_check int pod_from_json(const json_t *json, bool cgroups, struct pod *pod, struct err *err);
void pod_release(struct pod *pod);

#endif
