/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONTROLLER_CORE_STATUS_STATUS_RIG_H
#define TESTS_UNIT_CONTROLLER_CORE_STATUS_STATUS_RIG_H

/* The status of a running boost, to be changed by a test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/core/session/node_state.h"
#include "controller/core/status/status.h"
#include "tests/unit/controller/world.h"

#define SECOND NSEC_PER_SEC

struct fixture {
	struct object *object;
	struct boost_clock clock;
	struct policy_summary summary;
	struct status_agents agents;
	struct duration_limits limits;
	struct status_input input;
};

/* A boost of 60 s that began at 0, with two pods on two nodes that both have confirmed. */
static inline void begin(struct fixture *f)
{
	struct instant now = { .boot_ns = 0, .wall_s = 1767225600, .boot_id = "boot" };

	*f = (struct fixture){
		.object = world_object_text(
			"{\"apiVersion\": \"profiling.rubato.dev/v1alpha1\","
			"\"kind\": \"ProfilingPolicy\", \"metadata\": {\"name\": \"p\","
			"\"namespace\": \"a\", \"generation\": 4},"
			"\"spec\": {\"sampleRateHz\": 100, \"duration\": \"60s\"}}"),
		.summary = { .pods = 2,
			     .nodes = 2,
			     .rate_hz = 100,
			     .in_force = true,
			     .has_part = true },
		.agents = { .applied = 2 },
		.limits = { .all.ns = INT64_MAX, .some.ns = INT64_MAX },
	};
	clock_start(&f->clock, 4, 60 * SECOND, &now);
	f->clock.durable = true;
	f->input = (struct status_input){ .object = f->object,
					  .clock = &f->clock,
					  .summary = &f->summary,
					  .agents = &f->agents,
					  .limits = &f->limits,
					  .now = now };
}

static inline const char *condition_text(const json_t *status, const char *type, const char *member)
{
	const json_t *json;
	size_t i;

	json_array_foreach(
		json_object_get(status, "conditions"), i,
		json) if (strcmp(json_string_value(json_object_get(json, "type")), type) ==
			  0) return json_string_value(json_object_get(json, member));
	fail_msg("no condition %s", type);
	return NULL;
}

static inline void check(const struct fixture *f, const char *type, bool is, const char *reason)
{
	json_t *status = status_build(&f->input);

	assert_string_equal(condition_text(status, type, "reason"), reason);
	assert_int_equal(status_condition(status, type), is);
	json_decref(status);
}

static inline void check_message(const struct fixture *f, const char *type, const char *message)
{
	json_t *status = status_build(&f->input);

	assert_string_equal(condition_text(status, type, "message"), message);
	json_decref(status);
}

#endif
