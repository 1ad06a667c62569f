/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_COMPILE_SUMMARY_H
#define CONTROLLER_CORE_COMPILE_SUMMARY_H

/* What came of one policy, in a part of a plan or over all nodes.  Names are copies. */

#include "lib/core/base.h"
#include "lib/core/limits.h"

struct policy_summary {
	size_t pods, nodes; /* that it selects, in force or not; running pods only */
	uint32_t rate_hz;   /* the highest effective rate among their containers that it selects */
	bool in_force;	    /* neither deleting nor waiting nor expired, somewhere */
	bool has_part;	    /* it decides something somewhere */
	char winner[LIMIT_NAME_BYTES + 1]; /* who decided instead, first by name; "" = nobody */
	/* Whose capabilities leave out `cpu` there, first by name; "" = nobody's */
	char cpu_off_by[LIMIT_NAME_BYTES + 1];
	bool left_out;	/* a container it selects has no class of its own, or is in no plan */
	bool no_labels; /* pods of its namespace lack their labels: POD_LOST_LABELS */
	unsigned lost;	/* what else of pods it selects is left out: bits 1 << enum pod_lost */
	const char *lost_pod;		   /* the first of those, by name; borrowed; NULL = none */
	bool clamped;			   /* something it decided was clamped */
	uint32_t rate_from_hz, rate_to_hz; /* equal = rate not clamped */
	uint32_t caps_lost;		   /* capability bits taken away */
	/* ClusterProfilingPolicy, of the rate if that was clamped */
	char clamped_by[LIMIT_NAME_BYTES + 1];
};

/* Join what two parts say of a policy; the order in which parts are joined does not matter. */
void summary_add(struct policy_summary *sum, const struct policy_summary *summary);

/* Set one of the names. */
void summary_set_name(char *ret_name, const char *name);

#endif
