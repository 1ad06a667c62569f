/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_OBJECT_POLICY_H
#define CONTROLLER_CORE_OBJECT_POLICY_H

/* What is kept of our two kinds beyond their metadata.  They are read strictly: unknown fields, wrong types and values
 * out of bounds are errors, with or without an API server before us. */

#include "controller/core/object/selector.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#include <jansson.h>

/* ProfilingPolicy: what was asked for.  The run of a boost is no part of it (store_clock()). */
struct policy {
	bool has_rate;	     /* absent is never 0 */
	uint32_t rate_hz;    /* 0..LIMIT_SAMPLE_RATE_HZ */
	int64_t duration_ns; /* 0 = continuous, else a boost */
	struct selector selector;
	char **container; /* names, sorted; none = all */
	size_t container_nr;
	uint32_t add, drop; /* enum cap bits, disjoint; both 0 = inherits */
	char *reason;	    /* NULL = none */
};

/* ClusterProfilingPolicy */
struct cluster_policy {
	struct selector ns_selector, node_selector;
	bool has_rate, has_caps; /* defaults */
	uint32_t rate_hz, caps;
	bool has_max_rate, has_max_continuous, has_allowed; /* limits */
	uint32_t max_rate_hz, max_continuous_hz, allowed;
	int64_t max_duration_ns; /* 0 = no limit */
};

/* `json` is the whole object.  -EINVAL with err; what was allocated before stays in place for the release. */
must_check int policy_from_json(const json_t *json, struct policy *policy, struct err *err);
must_check int cluster_policy_from_json(const json_t *json, struct cluster_policy *policy,
					struct err *err);
void policy_release(struct policy *policy);
void cluster_policy_release(struct cluster_policy *policy);

static inline bool policy_is_boost(const struct policy *policy)
{
	return policy->duration_ns > 0;
}

/* Does it single out pods or containers?  Such policies rank before those that do not. */
static inline bool policy_selects(const struct policy *policy)
{
	return selector_narrows(&policy->selector) || policy->container_nr > 0;
}

#endif
