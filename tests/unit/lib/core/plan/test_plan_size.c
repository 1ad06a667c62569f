/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/core/plan/plan_size.h"
#include "lib/core/plan/caps.h"

#define T(text) ((char[]){ text })

#define QUOTES "\"\"\"\"\"\"\"\"\"\"\\\\\\\\\\\\\\\\\\\\"

static size_t json_bytes(const struct plan *plan)
{
	json_t *json = plan_to_json(plan, 0, INT32_MAX);
	char *text = json_dumps(json, JSON_COMPACT);
	size_t bytes = strlen(text);

	free(text);
	json_decref(json);
	return bytes;
}

static const size_t empty = sizeof("{\"classes\":[],\"targets\":[],\"boosts\":[]}") - 1;

static void a_part_takes_no_more_than_it_says(void **state)
{
	char *boosts[] = { T(QUOTES) };
	struct plan_step step[] = {
		{ .rate_hz = 200, .caps = CAPS_ALL, .boost = boosts, .boost_nr = 1 },
		{ .rate_hz = 200, .caps = CAPS_ALL }
	};
	struct plan_class cls = { .id = T(QUOTES), .step = step, .step_nr = 2 };
	struct plan_container container[] = {
		{ .name = T(QUOTES), .cid = T(QUOTES), .cgroup = T(QUOTES), .class_id = T(QUOTES) },
		{ .name = T("c") },
	};
	struct plan_label label[] = { { T(QUOTES), T(QUOTES) }, { T(""), T("") } };
	struct plan_target target = { .uid = T(QUOTES),
				      .ns = T(QUOTES),
				      .pod = T(QUOTES),
				      .service = T(QUOTES),
				      .class_id = T(QUOTES),
				      .container = container,
				      .container_nr = 2,
				      .label = label,
				      .label_nr = 2 };
	struct plan_target small = { .uid = T(""), .ns = T(""), .pod = T(""), .class_id = T("") };
	struct plan_boost boost = { .id = T(QUOTES), .expires_ns = INT64_MAX };

	(void)state;
	assert_true(json_bytes(&(struct plan){ .cls = &cls, .cls_nr = 1 }) - empty <
		    plan_class_bytes(&cls));
	assert_true(json_bytes(&(struct plan){ .target = &target, .target_nr = 1 }) - empty <
		    plan_target_bytes(&target));
	assert_true(json_bytes(&(struct plan){ .target = &small, .target_nr = 1 }) - empty <
		    plan_target_bytes(&small));
	assert_true(json_bytes(&(struct plan){ .boost = &boost, .boost_nr = 1 }) - empty <
		    plan_boost_bytes(&boost));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_takes_no_more_than_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
