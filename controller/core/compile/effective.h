/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_COMPILE_EFFECTIVE_H
#define CONTROLLER_CORE_COMPILE_EFFECTIVE_H

/* The effective setting of one container, per field, and why.
 *
 * Rate: the highest of the active boosts that give one, even where a continuous policy asks for more (somebody asked for
 * this, now, for a while).  Else the first continuous policy, in rank, that gives one.  Else the first default, in rank.
 * Else 19.
 *
 * Capabilities: the first default, in rank, that gives them, else the built-in set; with what is added, less what is
 * dropped, by any active boost and by the first continuous policy, in rank, that gives any.  What one of these drops,
 * none adds.  Without `cpu` nothing is sampled: the rate is 0, whoever decided it.
 *
 * Then every limit clamps, whoever decided: rate to the lowest maxSampleRateHz, and to the lowest
 * maxContinuousSampleRateHz when no boost decided it; capabilities to the intersection of allowedCapabilities.
 * maxDuration brings the end of a boost forward instead.
 *
 * Rank.  ProfilingPolicy: one that selects (selector with a term, or containers) before one that does not, then the
 * oldest, then by name.  ClusterProfilingPolicy: one with a term in either selector before one without, then the same.
 * Equal rates of two boosts: the first in rank is the one that decided.
 *
 * A boost that gives only capabilities does not decide the rate, and the rate counts as continuous.  A policy is
 * overridden when taking it away changes nothing now: it gives a rate, but another decided it or drops `cpu`, and its
 * capabilities have no part either.  A boost has a part in them if it drops any, or adds one that none drops.
 *
 * A node's default class (cgroups that no target names yet) knows no namespace: defaults apply only from
 * ClusterProfilingPolicies without a namespaceSelector, but limits of all of them, since any may be meant.
 */

#include "controller/core/object/clock.h"
#include "controller/core/object/model.h"
#include "controller/core/store/share.h"
#include "lib/core/base.h"

struct setting {
	uint32_t rate_hz; /* samples per second of CPU */
	uint32_t caps;	  /* enum cap bits */
};

struct effective {
	struct setting setting;
	struct setting wanted; /* before the limits */

	/* Who decided; NULL = the built-in default. */
	const struct object *rate_by;
	const struct object *caps_continuous_by; /* of the continuous policies */
	const struct object
		*cpu_off_by; /* whose drop, defaults or limit leave out `cpu`; NULL = it is in */
	uint32_t dropped;    /* what policies drop */
	/* Whose limit lowered it; NULL = nobody's. */
	const struct object *rate_clamped_by, *caps_clamped_by;
};

/* A policy or cluster policy that applies to something. */
struct candidate {
	const struct object *object;
	const struct boost_clock *clock; /* of a boost; else NULL */
	int64_t end_ns; /* of a boost: CLOCK_BOOTTIME, where durations are limited; else INT64_MAX */
};

/* In rank. */
struct ranked {
	struct candidate *item;
	size_t nr;
};

void ranked_release(struct ranked *ranked);

/* ClusterProfilingPolicies for a namespace on a node.  `ns_labels` and `node_labels` may be NULL
 * (no labels). */
struct cluster_scope {
	struct ranked defaults, limits;
};

void cluster_scope_init(struct cluster_scope *scope, struct object *const *policy, size_t nr,
			const char *ns_labels, const char *node_labels);
/* For the node's default class. */
void cluster_scope_init_node(struct cluster_scope *scope, struct object *const *policy, size_t nr,
			     const char *node_labels);
void cluster_scope_release(struct cluster_scope *scope);

/* All policies of a namespace's share that may be in force at now_ns (CLOCK_BOOTTIME), in rank: not being deleted, and,
 * if a boost, active on a scope that limits its duration to max_duration_ns. */
void ranked_init_policies(struct ranked *ranked, const struct share *share, int64_t max_duration_ns,
			  int64_t now_ns);

/* Does the policy select this container of this pod?  `container` NULL = the pod as a whole, which
 * policies with containers do not select.  Looks at neither time nor deletion. */
bool policy_matches(const struct policy *policy, const struct object *pod, const char *container);

/* `policy`: those in force that match, in rank. */
void effective(const struct ranked *policy, const struct cluster_scope *scope,
	       struct effective *ret_effective);

/* Has the policy, one of `policy`, a part in what came out? */
bool effective_has_part(const struct effective *effective, const struct object *policy);

/* Who decided in place of `loser`, one of `policy` that has no part; NULL = nobody. */
const struct object *effective_winner(const struct effective *effective,
				      const struct ranked *policy, const struct object *loser);

/* The strictest maxDuration, or INT64_MAX; *ret_by (may be NULL) is whose. */
int64_t effective_max_duration(const struct ranked *limits, const struct object **ret_by);

#endif
