/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/plan/plan_check.h"
#include "lib/core/limits.h"

#define T(text) ((char[]){ text })

static char *long_text(size_t len)
{
	static char text[8192];

	memset(text, 'x', len);
	text[len] = '\0';
	return text;
}

static void refused(int r, const struct err *err, const char *text)
{
	assert_true(r < 0);
	assert_string_equal(err->text, text);
}

static void a_name_is_plain_and_bounded(void **state)
{
	(void)state;
	assert_true(plan_name_valid("shop"));
	assert_true(plan_name_valid(long_text(LIMIT_NAME_BYTES)));
	assert_false(plan_name_valid(long_text(LIMIT_NAME_BYTES + 1)));
	assert_false(plan_name_valid(""));
	assert_false(plan_name_valid("shop\n"));
	assert_false(plan_name_valid("a\x7f"));
	assert_false(plan_name_valid("a\xc2\x85"));
}

static void a_target_says_which_member_is_wrong(void **state)
{
	struct plan_container container = { .name = T("c"), .cgroup = T("/a/../b") };
	struct plan_label label = { T("k"), T("v\n") };
	struct plan_target target = {
		.uid = T("u"), .ns = T("n"), .pod = T("p"), .class_id = T("n")
	};
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(plan_target_check(&target, &err), 0);
	target.service = T("shop\n");
	refused(plan_target_check(&target, &err), &err, "service: has control characters");
	target.service = T("");
	refused(plan_target_check(&target, &err), &err, "service: must not be empty");
	target.service = NULL;
	target.label = &label;
	target.label_nr = 1;
	refused(plan_target_check(&target, &err), &err, "labels: value: has control characters");
	target.label_nr = 0;
	target.container = &container;
	target.container_nr = 1;
	refused(plan_target_check(&target, &err), &err,
		"containers[0]: cgroup: must be an absolute path without \"..\"");
	target.container_nr = LIMIT_PLAN_CONTAINERS + 1;
	refused(plan_target_check(&target, &err), &err, "containers: more than 64");
}

static void a_class_ends_without_a_boost(void **state)
{
	char *boost[] = { T("a/b@1.1") };
	struct plan_step step[] = { { .rate_hz = 100, .boost = boost, .boost_nr = 1 },
				    { .rate_hz = 19 } };
	struct plan_class cls = { .id = T("a"), .step = step, .step_nr = 2 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(plan_class_check(&cls, &err), 0);
	cls.step_nr = 1;
	refused(plan_class_check(&cls, &err), &err, "steps[0]: the last step must name no boost");
	cls.step_nr = 0;
	refused(plan_class_check(&cls, &err), &err, "steps: must have at least one");
	cls.step_nr = 2;
	step[0].rate_hz = LIMIT_SAMPLE_RATE_HZ + 1;
	refused(plan_class_check(&cls, &err), &err, "steps[0]: hz: 201 is not in 0..200");
	step[0].rate_hz = 1;
	boost[0] = T("");
	refused(plan_class_check(&cls, &err), &err, "steps[0]: boosts[0]: not the id of a boost");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_plain_and_bounded),
		cmocka_unit_test(a_target_says_which_member_is_wrong),
		cmocka_unit_test(a_class_ends_without_a_boost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
