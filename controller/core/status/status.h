/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STATUS_STATUS_H
#define CONTROLLER_CORE_STATUS_STATUS_H

/* The status of a policy, as JSON for the API server or a status file.
 *
 *	{"observedGeneration", "effectiveSampleRateHz", "activeSince", "expiresAt",
 *	 "clock": {"bootID", "startMs", "endMs"},
 *	 "targets": {"pods", "nodes"}, "agents": {"desired", "applied", "failed"},
 *	 "conditions": [{"type", "status", "reason", "message", "observedGeneration", "lastTransitionTime"}]}
 *
 * Conditions, sorted by type; each always has status True or False:
 *	Accepted	True Valid | False Invalid | False TooMany: it is beyond the share of its namespace (share.h)
 *	Programmed	True Confirmed: every node that runs a pod it selects has confirmed what the plan of now says of its
 *			namespace.
 *			False Pending: some have not yet | Failed: one refused | Incomplete: one has no room for all containers | Disconnected: no agent there | NotStored: the
 *			boost's deadline is not stored yet | NoTargets: it selects no running pod | Expired: the boost is
 *			over | Deleting | TooMany | LeftOut: the plan of a node has no room for all of it, or pods lack their
 *			labels
 *			Without targets it is False, so that `kubectl wait --for=condition=Programmed` does not call a typo in
 *			a selector done.
 *	Clamped		True Limited | False WithinLimits
 *	Overridden	True DecidedByOther | False InForce, NoTargets, Expired or NotStored
 *	Expired		True DurationOver | False Running, or Continuous (no duration)
 *	Ready		True when Programmed is, and with nothing left to do: NoTargets, Expired (kstatus: Current); else False
 *			with Programmed's reason (InProgress); False Invalid when not accepted
 * A ClusterProfilingPolicy has Accepted and Ready.
 *
 * When the newest generation is refused, Accepted and Ready speak of that one and so does the status's
 * observedGeneration; everything else, with its own observedGeneration, is of the generation before, which
 * stays in force.
 *
 * lastTransitionTime moves only when a condition's status does.  Messages hold names and settings, no counts and no times,
 * so an unchanged state gives an unchanged status: write it only when !status_equal().
 */

#include "controller/core/compile/duration_limit.h"
#include "controller/core/compile/summary.h"
#include "controller/core/object/clock.h"
#include "controller/core/object/model.h"
#include "controller/core/status/status_agents.h"
#include "controller/core/status/status_read.h"
#include "controller/core/store/share.h"
#include "lib/core/base.h"

#include <jansson.h>

struct status_input {
	const struct object *object;	      /* ProfilingPolicy or ClusterProfilingPolicy */
	const struct boost_clock *clock;      /* of a boost; NULL for others */
	enum share_verdict share;	      /* is it in the share of its namespace? */
	const struct policy_summary *summary; /* NULL for the cluster kind */
	const struct status_agents *agents;   /* NULL for the cluster kind */
	const struct duration_limits *limits; /* NULL for the cluster kind */
	const json_t *previous;		      /* the status last stored; NULL = none */
	struct instant now;
};

/* Never NULL; the caller's to json_decref(). */
json_t *status_build(const struct status_input *input);

/* Of an object whose newest `generation` object_from_json() refused, and `why`.  `input` is of the generation
 * that stays in force; without one its object is NULL. */
json_t *status_build_refused(int64_t generation, const char *why, const struct status_input *input);

#endif
