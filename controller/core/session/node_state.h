/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_SESSION_NODE_STATE_H
#define CONTROLLER_CORE_SESSION_NODE_STATE_H

/* How a node's agent stands to the plan that is wanted of it. */

#include "lib/core/base.h"
#include "lib/core/control/control_msg.h"

enum hub_state {
	HUB_ABSENT,  /* no agent of that node is connected */
	HUB_PENDING, /* connected; the wanted plan is not confirmed yet */
	HUB_APPLIED, /* the agent has confirmed exactly the wanted plan */
	HUB_FAILED, /* it refused or timed out; hub_node.error says why; it keeps its last good plan */
};

/* Strings are the hub's, valid until its next event. */
struct hub_node {
	const char *node;
	enum hub_state state;
	uint64_t wanted_seq;  /* the plans wanted so far that did not equal the one before */
	uint64_t applied_seq; /* the latest of them that is confirmed; 0 = none that we know of */
	const char *error;    /* "" = none */
	bool clamped;	      /* by the agent's own ceiling */
	uint32_t max_rate_hz; /* that ceiling, as the agent last reported; 0 = not said */
	const struct control_missing *missing; /* what the node has no room for; NULL = nothing */
};

#endif
