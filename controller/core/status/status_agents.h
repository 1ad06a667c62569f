/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STATUS_STATUS_AGENTS_H
#define CONTROLLER_CORE_STATUS_STATUS_AGENTS_H

/* What the agents say that a policy concerns, summed up for its status.  Strings are borrowed.  Pure. */

#include "controller/core/session/node_state.h"
#include "lib/core/base.h"

/* States of the nodes that the policy selects pods on, counted by hub_state. */
struct status_agents {
	size_t absent, pending, applied, failed;
	const char *absent_node;	      /* the first by name; NULL = none */
	const char *failed_node, *failed_why; /* likewise */
	size_t incomplete; /* of those applied: without room for all of the namespace's containers */
	const char *incomplete_node; /* likewise */
	const char *ceiling_node;    /* whose agent lowers rates most; NULL = nobody's does */
	uint32_t ceiling_hz;
	const char *left_out_node; /* the first whose plan has no room for all; NULL = none */
};

void status_agents_add(struct status_agents *agents, const char *node, enum hub_state state,
		       const char *why);

/* Of a node that was added as applied: it has no room for all containers of the policy's namespace. */
void status_agents_incomplete(struct status_agents *agents, const char *node);

/* The agent of a node lowers every rate to this. */
void status_agents_ceiling(struct status_agents *agents, const char *node, uint32_t max_hz);

/* The plan of the node has no room for all that the policy wants there. */
void status_agents_left_out(struct status_agents *agents, const char *node);

#endif
