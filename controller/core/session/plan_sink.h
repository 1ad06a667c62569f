/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_SESSION_PLAN_SINK_H
#define CONTROLLER_CORE_SESSION_PLAN_SINK_H

/* Who brings plans to agents and knows what they confirmed: the hub (hub.h, where each function of its is described), or
 * a test. */

#include "controller/core/session/lane.h"
#include "controller/core/session/node_state.h"
#include "lib/core/plan/plan.h"

struct plan_sink {
	void *ctx;
	void (*set_plan)(void *ctx, const char *node, struct plan *plan, enum hub_lane lane);
	void (*drop_node)(void *ctx, const char *node);
	/* False when the node is not known. */
	bool (*node_get)(void *ctx, const char *node, struct hub_node *ret_node);
};

#endif
