/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/status_agents.h"

#include <string.h>

void status_agents_add(struct status_agents *agents, const char *node, enum hub_state state,
		       const char *why)
{
	switch (state) {
	case HUB_ABSENT:
		agents->absent++;
		if (!agents->absent_node || strcmp(node, agents->absent_node) < 0)
			agents->absent_node = node;
		break;
	case HUB_PENDING:
		agents->pending++;
		break;
	case HUB_APPLIED:
		agents->applied++;
		break;
	case HUB_FAILED:
		agents->failed++;
		if (agents->failed_node && strcmp(agents->failed_node, node) <= 0)
			break;
		agents->failed_node = node;
		agents->failed_why = why;
		break;
	}
}

void status_agents_incomplete(struct status_agents *agents, const char *node)
{
	agents->incomplete++;
	if (!agents->incomplete_node || strcmp(agents->incomplete_node, node) > 0)
		agents->incomplete_node = node;
}

void status_agents_ceiling(struct status_agents *agents, const char *node, uint32_t max_hz)
{
	if (agents->ceiling_node &&
	    (max_hz > agents->ceiling_hz ||
	     (max_hz == agents->ceiling_hz && strcmp(agents->ceiling_node, node) <= 0)))
		return;
	agents->ceiling_node = node;
	agents->ceiling_hz = max_hz;
}

void status_agents_left_out(struct status_agents *agents, const char *node)
{
	if (!agents->left_out_node || strcmp(agents->left_out_node, node) > 0)
		agents->left_out_node = node;
}
