/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/session/answer.h"

#include <string.h>

static void from_status(const struct opamp_from_agent *msg, const struct hub_fsm *fsm,
			struct control_applied *ret)
{
	*ret = (struct control_applied){ .gen = fsm->gen };
	memcpy(ret->hash, msg->hash, sizeof(ret->hash));
	if (msg->status == OPAMP_APPLIED) {
		memcpy(ret->have, msg->hash, sizeof(ret->have));
		return;
	}
	ret->result = CONTROL_FAILED;
	ret->reason = CONTROL_REASON_APPLY;
	memcpy(ret->error, msg->error, sizeof(ret->error));
}

bool answer_lacks_state(const struct opamp_from_agent *msg)
{
	return !msg->has_description && !msg->has_status && !msg->custom.type[0];
}

int answer_read(const struct opamp_from_agent *msg, const struct hub_fsm *fsm,
		struct control_applied *ret, struct err *err)
{
	if (strcmp(msg->custom.type, CONTROL_APPLIED) == 0)
		return control_applied_unpack(msg->custom.body, msg->custom.body_len, ret, err);
	if (msg->has_status)
		from_status(msg, fsm, ret);
	else
		*ret = (struct control_applied){ 0 };
	return 0;
}
