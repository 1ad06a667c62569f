/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "lib/core/control/control_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_plan(const json_t *json)
{
	struct plan plan = { 0 }, next = { 0 };
	struct err err;

	if (plan_from_json(json, 1, &plan, &err) < 0)
		return;
	if (plan_delta_apply(&plan, json, 1, &next, &err) == 0)
		plan_release(&next);
	if (plan_refresh_boosts(&plan, json_object_get(json, "boosts"), 2, &err) < -4096)
		abort();
	plan_release(&plan);
}

/* Every body; each reader gets every input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *body = (const char *)data;
	struct control_session session;
	struct control_applied applied, again;
	struct control_head head;
	struct plan empty = { 0 }, next = { 0 };
	struct err err;
	json_t *json;

	if (control_session_unpack(body, size, &session, &err) == 0) {
		char *text = control_session_pack(&session);

		if (control_session_unpack(text, strlen(text), &session, &err) < 0)
			abort();
		free(text);
	}
	if (control_applied_unpack(body, size, &applied, &err) == 0) {
		char *text = control_applied_pack(&applied);

		if (control_applied_unpack(text, strlen(text), &again, &err) < 0 ||
		    again.result != applied.result || again.gen != applied.gen)
			abort();
		free(text);
	}
	if (control_head_unpack(body, size, &head, &json, &err) == 0) {
		as_plan(json);
		if (plan_delta_apply(&empty, json, 1, &next, &err) == 0)
			plan_release(&next);
		json_decref(json);
	}
	return 0;
}
