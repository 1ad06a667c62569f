/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_COMPILE_COMPILE_PART_H
#define CONTROLLER_CORE_COMPILE_COMPILE_PART_H

/* The part of a node's plan that one namespace makes up, and what each policy of the namespace came to in
 * it.  compile.c keeps parts and puts plans together from them. */

#include "controller/core/compile/compile_options.h"
#include "controller/core/compile/effective.h"
#include "controller/core/compile/tally.h"
#include "controller/core/session/lane.h"
#include "controller/core/store/named.h"
#include "controller/core/store/store.h"
#include "lib/core/plan/plan_pack.h"

struct part {
	struct named ns;
	const char *node;    /* borrowed */
	bool stale;	     /* to be made again */
	bool changed;	     /* since compiler_sent() */
	uint64_t seq;	     /* of the plan with which it last changed; 0 = none was sent yet */
	int64_t next_end_ns; /* when the first of its boosts ends, or INT64_MAX */
	struct plan_pack
		*pack; /* each class, target and boost of it is one that an agent accepts */
	uint32_t lost[POD_LOST_NR]; /* running pods that lack it */
	size_t left_out; /* pods that the node's plan has no room for: they have the node's default */
	bool without_boosts; /* the node's plan has no room for its boosts */
	struct tally *tally; /* the policies that select a running pod here, by name */
	size_t tally_nr;
};

/* Fill everything but ns, node, changed and seq.  `pods` are those of that namespace on the node, by name. */
void part_make(struct part *part, const struct store *store, const struct compile_options *options,
	       struct object_list pods, int64_t now_ns);

/* Free what part_make() filled. */
void part_clear(struct part *part);

/* The steps of a class on which the policies `matching`, in rank, act (compile.h).  The boosts they name are
 * added to plan->boost. */
void class_make_steps(struct plan *plan, struct plan_class *cls, const struct ranked *matching,
		      const struct cluster_scope *scope);

/* --- compile_join.c --- */

/* The plan of a node: its default class and copies of its parts (struct part), as far as the limits of a plan allow.
 * What they allow is shared fairly: a part that is within its share is there whole; of another the boosts go first (its
 * containers have the rates of after them), then the last of its targets.  Sets without_boosts and left_out of each. */
void parts_join(const struct named_list *parts, const struct store *store, const char *node,
		struct plan *ret_plan);

/* How soon `to` shall follow `from`, by their classes and boosts; neither has targets. */
enum hub_lane plan_lane(const struct plan *from, const struct plan *to);

#endif
