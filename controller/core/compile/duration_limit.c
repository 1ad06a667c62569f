/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/duration_limit.h"

void duration_limits_of(const struct store *store, const char *ns,
			struct duration_limits *ret_limits)
{
	static const struct duration_limit none = { .ns = INT64_MAX };
	const struct object *object = store_find(store, OBJECT_NAMESPACE, "", ns);
	struct object_list list = store_cluster_policies(store);

	*ret_limits = (struct duration_limits){ .all = none, .some = none };
	for (size_t i = 0; i < list.nr; i++) {
		const struct cluster_policy *cluster = &list.object[i]->cluster;
		struct duration_limit *limit = selector_narrows(&cluster->node_selector)
						       ? &ret_limits->some
						       : &ret_limits->all;

		if (list.object[i]->deleting || !cluster->max_duration_ns ||
		    !selector_matches(&cluster->ns_selector, object ? object->labels : NULL))
			continue;
		if (cluster->max_duration_ns < limit->ns)
			*limit = (struct duration_limit){ cluster->max_duration_ns,
							  list.object[i]->name };
	}
}
