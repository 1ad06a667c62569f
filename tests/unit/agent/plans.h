/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_AGENT_PLANS_H
#define TESTS_UNIT_AGENT_PLANS_H

/* Plans for tests, from JSON as the controller sends it; single quotes stand for double ones. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/core/plan/plan.h"

static inline struct plan plan_of(const char *text, int64_t now_ns)
{
	cleanup(freep) char *json_text = xstrdup(text);
	struct err err = ERR_INIT;
	struct plan plan = { 0 };
	json_t *json;

	for (char *at = json_text; (at = strchr(at, '\'')); at++)
		*at = '"';
	json = json_loads(json_text, 0, NULL);
	if (!json || plan_from_json(json, now_ns, &plan, &err) < 0)
		fail_msg("not a plan: %s: %s", err.text, text);
	json_decref(json);
	return plan;
}

#endif
