/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_COMPILE_COMPILE_H
#define CONTROLLER_CORE_COMPILE_COMPILE_H

/* Store + now -> the plan of one node (lib/core/plan/plan.h).
 *
 * The compiler keeps one part per (namespace, node) and makes again only those that a change touched or in which a boost
 * has ended; what comes out equals what a new compiler makes of the same store.  A pass of the controller is:
 *
 *	touch = store_apply(...);  compiler_touch(compiler, store, &touch);	for every change
 *	compiler_advance(compiler, now_ns);
 *	while ((node = compiler_next_dirty(compiler)))
 *		compiler_compile(compiler, store, node, now_ns, &result);	result.plan -> hub_set_plan()
 *	timer at compiler_next_end(compiler);
 *
 * Classes: "" the node's default; "NS" containers that no selecting policy in force matches; "NS/HASH" those that the set
 * of selecting policies behind HASH matches (a SHA-256 of their names).  A rate edit changes a class and no target.  Only
 * classes that something is bound to are in the plan, and "".
 *
 * Steps: the ends of the boosts in order; a step that equals the next one is left out, and each names only the boost that
 * ends it, so that boosts of the same effect share an entry.  Beyond LIMIT_PLAN_STEPS the chain jumps to its last step:
 * without a controller such boosts end early, never late.
 *
 * Each class, target and boost is one that an agent accepts (plan_check.h).  What is not, a service name with a line feed,
 * is left out alone; what a plan has no room for is shared fairly between the namespaces (compile_part.h).
 *
 * No target: pods without a node, and pods that are done.  A pod being deleted still runs, hence is one.
 */

#include "controller/core/compile/compile_options.h"
#include "controller/core/compile/summary.h"
#include "controller/core/session/lane.h"
#include "controller/core/store/store.h"
#include "lib/core/plan/plan.h"

struct compiler;

struct compile_result {
	struct plan plan;   /* the caller's to release (or hand to hub_set_plan()) */
	enum hub_lane lane; /* how soon, against the plan last compiled for the node */
	size_t left_out; /* pods and containers beyond the plan's limits; they get the default class */
};

/* `options` is copied; it may be NULL. */
struct compiler *compiler_new(const struct compile_options *options);
void compiler_free(struct compiler *compiler);

void compiler_touch(struct compiler *compiler, const struct store *store,
		    const struct touch *touch);

/* Boosts that have ended by now_ns make their nodes dirty. */
void compiler_advance(struct compiler *compiler, int64_t now_ns);

/* When the next boost that some plan holds ends (CLOCK_BOOTTIME), or INT64_MAX. */
int64_t compiler_next_end(const struct compiler *compiler);

/* A node whose plan may have changed, or NULL.  Valid until the compiler is called again.  A node that the store does not
 * have any more (store_has_node()) comes up too: hub_drop_node() it and compiler_forget() it. */
const char *compiler_next_dirty(const struct compiler *compiler);

/* The plan of `node`, which is no longer dirty.  `node` may be what compiler_next_dirty() returned. */
void compiler_compile(struct compiler *compiler, const struct store *store, const char *node,
		      int64_t now_ns, struct compile_result *ret_result);
void compiler_forget(struct compiler *compiler, const char *node);

/* The plan last compiled for `node` is wanted of its agent, as the hub's `seq`-th. */
void compiler_sent(struct compiler *compiler, const char *node, uint64_t seq);

/* Running pods, over all nodes, of which something is in no plan: what cannot be said, and what had no room. */
struct left_out {
	size_t lost[POD_LOST_NR], no_room;
};

void compiler_left_out(const struct compiler *compiler, struct left_out *ret);

/* What came of one policy, over all nodes, as of the last compilation.  Its texts are valid until the next one. */
void compiler_summary(const struct compiler *compiler, const char *ns, const char *policy,
		      struct policy_summary *ret_summary);

/* A node on which a policy selects a running pod. */
struct policy_node {
	const char *node;
	/* Which plan last changed something in the policy's namespace; an agent that has confirmed it has confirmed the
	 * policy, whatever else has changed on the node since. */
	uint64_t seq;
	bool left_out;	     /* the plan has no room for all that it selects */
	bool without_boosts; /* the plan has no room for the boosts of the namespace */
};

/* The nodes, in order; returns false past the last one.  Begin with *pos 0. */
bool compiler_policy_node(const struct compiler *compiler, const char *ns, const char *policy,
			  size_t *pos, struct policy_node *ret_node);

struct policy_key {
	const char *ns, *policy; /* valid until the compiler is called again */
};

/* The other way round: the policies that select a running pod on the node.  Begin with both places 0. */
bool compiler_node_policy(const struct compiler *compiler, const char *node, size_t *part_pos,
			  size_t *pos, struct policy_key *ret_policy);

#endif
