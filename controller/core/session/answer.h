/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_SESSION_ANSWER_H
#define CONTROLLER_CORE_SESSION_ANSWER_H

/* What a message of an agent says of plans, in our words (`applied`) or in those of the specification only
 * (remote_config_status). */

#include "controller/core/session/hub_fsm.h"
#include "lib/core/control/opamp.h"
#include "lib/core/err.h"

/* A status of the specification names no generation: it answers the plan that `fsm` sent last.  A message that
 * says nothing of plans is all zero.  -EPROTO with a sentence; *ret is written on success only. */
must_check int answer_read(const struct opamp_from_agent *msg, const struct hub_fsm *fsm,
			   struct control_applied *ret, struct err *err);

/* The first message of a connection says nothing of the agent's state: by the specification (and opamp-go) that
 * means "as I told you before", which this controller may never have heard.  It has to be asked for. */
bool answer_lacks_state(const struct opamp_from_agent *msg);

#endif
