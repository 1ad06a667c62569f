/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_COMPILE_DURATION_LIMIT_H
#define CONTROLLER_CORE_COMPILE_DURATION_LIMIT_H

/* How long boosts of a namespace may last: the strictest maxDuration of the ClusterProfilingPolicies that match it. */

#include "controller/core/store/store.h"
#include "lib/core/base.h"

struct duration_limit {
	int64_t ns;	/* INT64_MAX = there is none */
	const char *by; /* the first by name that says so, in the store; NULL = none */
};

struct duration_limits {
	struct duration_limit all;  /* of those for all nodes: it is the boost that ends then */
	struct duration_limit some; /* of those with a nodeSelector: it ends then on such nodes */
};

void duration_limits_of(const struct store *store, const char *ns,
			struct duration_limits *ret_limits);

#endif
