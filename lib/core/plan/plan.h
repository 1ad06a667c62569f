/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_PLAN_PLAN_H
#define LIB_CORE_PLAN_PLAN_H

/* A plan: what one node shall do.  The controller compiles it, the agent resolves it.
 *
 *	classes		effective settings, each a list of steps in time
 *	targets		the pods of the node, each bound to a class
 *	boosts		the clocks of the boosts that the steps name
 *
 * Identity.  plan_hash() is SHA-256 over the canonical JSON (sorted keys, no spaces, integers only) of
 * classes and targets.  The boosts' clocks are *not* part of it: a controller that restarts and computes
 * the same plan sends nothing.  An edited boost gets a new id, hence a new hash.
 *
 * Classes.  A class's id is stable while its content changes, so that a rate change touches one row:
 * ""		the node's default: cgroups that no target names (yet)
 * "NS"		pods of a namespace that no selecting policy matches
 * "NS/HASH"	pods matched by the set of selecting policies that HASH stands for
 *
 * Steps.  Step 0 is in force while every boost it names is alive; when one has ended (its deadline, or
 * the dead-man TTL without news from the controller), the next step is, and so on.  The last step names
 * no boost.  Thus an agent restores the rate on time with nobody to talk to.
 *
 * All arrays are sorted (classes by id, targets by uid, containers by name, boosts by id, boost names in
 * a step, labels by key) and free of duplicates; plan_normalize() makes it so.  Strings are owned by
 * the plan.  Pure: no clock, no I/O.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"
#include "lib/core/text/json.h"

#define PLAN_HASH_BYTES 32
#define PLAN_HASH_HEX (2 * PLAN_HASH_BYTES + 1) /* with the NUL */

struct plan_step {
	uint32_t rate_hz; /* samples per second of CPU; 0 = do not sample */
	uint32_t caps;	  /* enum cap bits */
	char **boost;	  /* ids of the boosts that hold this step; none in the last */
	size_t boost_nr;
};

struct plan_class {
	char *id;
	struct plan_step *step; /* >= 1 */
	size_t step_nr;
};

struct plan_container {
	char *name;
	char *cid;	/* container id (64 hex), NULL while the kubelet has not told */
	char *cgroup;	/* path below the cgroup root, for pods without a kubelet; else NULL */
	char *class_id; /* NULL = the target's */
};

struct plan_label {
	char *key, *value;
};

struct plan_target {
	char *uid; /* pod uid; the target's identity */
	char *ns, *pod;
	char *service;	/* service_name label, or NULL: "NS/CONTAINER" */
	char *class_id; /* of every cgroup of the pod that no container below names */
	struct plan_container *container;
	size_t container_nr;
	struct plan_label *label; /* pod labels by allow-list */
	size_t label_nr;
};

struct plan_boost {
	char *id;	    /* "NS/NAME@GENERATION.START": one run of a boost */
	int64_t expires_ns; /* CLOCK_BOOTTIME of this process's host: when the user's duration is over */
	int64_t dead_man_ns; /* same clock: when it ends without news; the agent's side only, else 0 */
};

struct plan {
	struct plan_class *cls;
	size_t cls_nr;
	struct plan_target *target;
	size_t target_nr;
	struct plan_boost *boost;
	size_t boost_nr;
};

/* An empty plan is all zeros. */
void plan_release(struct plan *plan);
void plan_copy(struct plan *dst,
	       const struct plan *src); /* deep; dst is overwritten, not released */

/* Release one element's contents (not the struct). */
void plan_step_release(struct plan_step *step);
void plan_class_release(struct plan_class *cls);
void plan_target_release(struct plan_target *target);
void plan_boost_release(struct plan_boost *boost);

/* Deep copies; dst is overwritten, not released. */
void plan_class_copy(struct plan_class *dst, const struct plan_class *src);
void plan_target_copy(struct plan_target *dst, const struct plan_target *src);

bool plan_class_equal(const struct plan_class *a, const struct plan_class *b);
bool plan_target_equal(const struct plan_target *a, const struct plan_target *b);

/* Sort everything and drop duplicates (the first of equal ids stays). */
void plan_normalize(struct plan *plan);

/* Binary search in a normalized plan; NULL when it is not there. */
const struct plan_class *plan_find_class(const struct plan *plan, const char *id);
const struct plan_target *plan_find_target(const struct plan *plan, const char *uid);
struct plan_boost *plan_find_boost(const struct plan *plan, const char *id);

/* When it ends: the first of its deadline and of its dead-man time, if it has one. */
int64_t plan_boost_end_ns(const struct plan_boost *boost);

/* The content hash, lower-case hex. */
void plan_hash(const struct plan *plan, char ret_hex[PLAN_HASH_HEX]);

/* Equal classes and targets (boost clocks aside). */
bool plan_equal(const struct plan *a, const struct plan *b);

/* --- lib/core/plan/plan_json.c: JSON.  See docs/protocol.md for the shape. --- */

/* {"classes":[...],"targets":[...],"boosts":[...]}; `now_ns` turns boost deadlines into relative
 * "expires_in_ms"; `ttl_ms` is each boost's dead-man time.  Never NULL. */
json_t *plan_to_json(const struct plan *plan, int64_t now_ns, int64_t ttl_ms);

/* Validate everything (bounds, enums, every class id that is named exists, every step list ends without a
 * boost, every boost that is named has a clock) and build a normalized plan; deadlines are counted from
 * `now_ns`.  Unknown members and capabilities are ignored (plan_unknown.h).  -EINVAL with err naming the member;
 * ret_plan is written on success only. */
must_check int plan_from_json(const json_t *json, int64_t now_ns, struct plan *ret_plan,
			      struct err *err);

/* --- lib/core/plan/plan_delta.c: the difference of two plans. --- */

/* {"classes":{"set":[..],"del":[ids]},"targets":{"set":[..],"del":[uids]},"boosts":[..]} that turns `from`
 * into `to`; the boosts are always those of `to`, whole.  Never NULL. */
json_t *plan_delta_to_json(const struct plan *from, const struct plan *to, int64_t now_ns,
			   int64_t ttl_ms);

/* Apply such a delta: a new plan, `from` is left alone.  Same checks as plan_from_json(). */
must_check int plan_delta_apply(const struct plan *from, const json_t *delta, int64_t now_ns,
				struct plan *ret_plan, struct err *err);

/* Refresh clocks: for each {"id","expires_in_ms","ttl_ms"} of `boosts` that the plan has, set the
 * deadlines.  Ids that the plan lacks are ignored.  Returns the number refreshed, or -EINVAL. */
must_check int plan_refresh_boosts(struct plan *plan, const json_t *boosts, int64_t now_ns,
				   struct err *err);

#endif
