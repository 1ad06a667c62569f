/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/core/plan/plan_pack.h"
#include "tests/unit/lib/random_plan.h"

#define NOW (5000 * NSEC_PER_SEC)

static void check_same(const struct plan *a, const struct plan *b)
{
	assert_true(plan_equal(a, b));
	assert_int_equal(a->boost_nr, b->boost_nr);
	for (size_t i = 0; i < a->boost_nr; i++) {
		assert_string_equal(a->boost[i].id, b->boost[i].id);
		assert_int_equal(a->boost[i].expires_ns, b->boost[i].expires_ns);
		assert_int_equal(a->boost[i].dead_man_ns, b->boost[i].dead_man_ns);
	}
}

static void what_is_unpacked_is_what_was_packed(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		cleanup(plan_release) struct plan plan, back, boosts;
		cleanup(freep) struct plan_pack *pack = NULL, *again = NULL;

		random_plan(&seed, NOW, &plan);
		pack = plan_pack(&plan);
		plan_unpack(pack, &back);
		check_same(&plan, &back);
		again = plan_pack(&back);
		assert_int_equal(again->len, pack->len);
		assert_memory_equal(again->byte, pack->byte, pack->len);
		plan_unpack_boosts(pack, &boosts);
		assert_int_equal(boosts.boost_nr, plan.boost_nr);
		assert_int_equal(boosts.cls_nr + boosts.target_nr, 0);
	}
}

static void packs_are_equal_as_plans_are(void **state)
{
	uint64_t seed = 2;
	size_t equal = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		cleanup(plan_release) struct plan a, b;
		cleanup(freep) struct plan_pack *pa = NULL, *pb = NULL;
		uint64_t same = seed;

		random_plan(&seed, NOW, &a);
		/* Every third time the same with other clocks. */
		random_plan(i % 3 ? &seed : &same, NOW + i * NSEC_PER_MSEC, &b);
		pa = plan_pack(&a);
		pb = plan_pack(&b);
		assert_int_equal(plan_pack_equal(pa, pb), plan_equal(&a, &b));
		equal += plan_equal(&a, &b);
	}
	assert_in_range(equal, 600, 1900);
}

/* What could be taken for something else. */
static void odd_texts_stay_what_they_are(void **state)
{
	static const char *const cid[] = {
		"",
		"ab",
		"0123456789abcdef",
		"0123456789abcde",
		"0123456789ABCDEF",
		"0123456789abcdef0",
		"\x7f\xc3\xa4",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cid); i++) {
		struct plan_container container = { .name = (char *)"c", .cid = (char *)cid[i] };
		struct plan_target target = { .uid = (char *)"u",
					      .ns = (char *)"n",
					      .pod = (char *)"p",
					      .class_id = (char *)"",
					      .container = &container,
					      .container_nr = 1 };
		const struct plan plan = { .target = &target, .target_nr = 1 };
		cleanup(freep) struct plan_pack *pack = plan_pack(&plan);
		cleanup(plan_release) struct plan back;

		plan_unpack(pack, &back);
		assert_string_equal(back.target[0].container[0].cid, cid[i]);
		assert_null(back.target[0].container[0].cgroup);
		assert_null(back.target[0].service);
		assert_string_equal(back.target[0].class_id, "");
	}
}

/* A pod of a large cluster: controller/core/compile keeps one pack of each node, and so does the hub. */
static void a_pod_is_small(void **state)
{
	struct plan_container container = {
		.name = (char *)"checkout",
		.cid = (char *)"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	};
	struct plan_target target = { .uid = (char *)"11111111-2222-3333-4444-000000000000",
				      .ns = (char *)"payments",
				      .pod = (char *)"checkout-7d9f8b6c5d-x2k4q",
				      .class_id = (char *)"payments",
				      .container = &container,
				      .container_nr = 1 };
	const struct plan plan = { .target = &target, .target_nr = 1 };
	cleanup(freep) struct plan_pack *pack = plan_pack(&plan);

	(void)state;
	assert_in_range(pack->len, 100, 140);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_unpacked_is_what_was_packed),
		cmocka_unit_test(packs_are_equal_as_plans_are),
		cmocka_unit_test(odd_texts_stay_what_they_are),
		cmocka_unit_test(a_pod_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
