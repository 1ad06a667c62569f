/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DAEMON_AGENT_H
#define AGENT_DAEMON_AGENT_H

/* The whole agent on one loop: the plan comes in by agent/control/control_client.h, is resolved with the cgroups and applied
 * to the sampler; samples go by agent/core/profile/collect.h into profiles, and these to the sink.
 */

#include "agent/daemon/settings.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

struct agent;
struct metrics;
struct uv_loop_s;

/* Start sampling, with the last good plan if there is one.  `settings` and `metrics` must outlive the agent. */
must_check int agent_new(struct uv_loop_s *loop, const struct settings *settings,
			 struct metrics *metrics, struct agent **ret_agent, struct err *err);

/* Drain and write what there is, then close all handles; the loop ends by itself when they are closed. */
void agent_stop(struct agent *agent);

/* After the loop has ended. */
void agent_free(struct agent *agent);

/* For /readyz: sampling, and a plan in force where there is a controller. */
must_check int agent_ready(void *agent, struct err *err);

#endif
