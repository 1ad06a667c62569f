/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_COMPILE_PART_INDEX_H
#define CONTROLLER_CORE_COMPILE_PART_INDEX_H

/* The compiler's parts by namespace, and what all of a namespace say of its policies: added up once after a change, not
 * for each who asks. */

#include "controller/core/compile/compile_part.h"
#include "controller/core/store/named.h"

struct policy_sum {
	char *policy;
	struct policy_summary summary;
};

/* The parts of one namespace. */
struct part_row {
	struct named ns;
	struct part **part; /* by node; borrowed */
	size_t nr;
	struct policy_sum *sum; /* of all parts, by policy; as of the last part_row_sum() */
	size_t sum_nr;
	bool no_labels; /* pods lack their labels; likewise */
	bool stale;	/* a part has been made since */
};

/* All zeros = empty. */
struct part_index {
	struct named_list row;
};

void part_index_release(struct part_index *index);

/* NULL when there is no part of the namespace. */
struct part_row *part_index_row(const struct part_index *index, const char *ns);

/* part->ns and part->node are set. */
void part_index_add(struct part_index *index, struct part *part);
void part_index_remove(struct part_index *index, const struct part *part);

/* What came of a policy, over all parts of the row; NULL when it selects nothing there. */
const struct policy_summary *part_row_sum(struct part_row *row, const char *policy);

#endif
