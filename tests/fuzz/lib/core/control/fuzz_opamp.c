/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "lib/core/control/opamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Both directions.  What decodes must encode, and decode to the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct opamp_from_agent from, from2;
	struct opamp_to_agent to, to2;
	struct err err;
	uint8_t *bytes;
	size_t len;

	if (opamp_from_agent_unpack(data, size, &from, &err) == 0) {
		bytes = opamp_from_agent_pack(&from, 16, &len);
		if (opamp_from_agent_unpack(bytes + 16, len, &from2, &err) < 0 ||
		    strcmp(from.hash, from2.hash) != 0 || strcmp(from.host, from2.host) != 0 ||
		    from.custom.body_len != from2.custom.body_len)
			abort();
		opamp_from_agent_release(&from);
		opamp_from_agent_release(&from2);
		free(bytes);
	}
	if (opamp_to_agent_unpack(data, size, &to, &err) == 0) {
		bytes = opamp_to_agent_pack(&to, 16, &len);
		if (opamp_to_agent_unpack(bytes + 16, len, &to2, &err) < 0 ||
		    to.plan_len != to2.plan_len || to.flags != to2.flags ||
		    strcmp(to.custom.type, to2.custom.type) != 0)
			abort();
		opamp_to_agent_release(&to);
		opamp_to_agent_release(&to2);
		free(bytes);
	}
	return 0;
}
