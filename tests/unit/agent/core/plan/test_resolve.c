/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "agent/core/plan/resolve.h"
#include "lib/core/control/control_msg.h"
#include "lib/core/limits.h"
#include "lib/core/plan/caps.h"
#include "tests/unit/agent/plans.h"

#define SEC NSEC_PER_SEC
#define UID_A "aaaaaaaa-0000-0000-0000-000000000001"
#define POD_A "/kubepods/pod" UID_A

/* shop: 100 Hz while b1 (60 s, dead man 30 s) and b2 (10 s) live, 49 while b1 does, then 19 */
#define BOOSTED                                                                                    \
	"{'classes':[{'id':'','steps':[{'hz':7,'caps':['cpu']}]},"                                 \
	"{'id':'shop','steps':[{'hz':100,'caps':['cpu','kernel'],'boosts':['b1','b2']},"           \
	"{'hz':49,'caps':['cpu'],'boosts':['b1']},{'hz':19,'caps':['cpu']}]}],"                    \
	"'targets':[{'uid':'" UID_A "','ns':'shop','pod':'p','class':'shop','containers':[]}],"    \
	"'boosts':[{'id':'b1','expires_in_ms':60000,'ttl_ms':30000},{'id':'b2','expires_in_ms':"   \
	"10000,'ttl_ms':30000}]}"

static const struct ceiling high = { .max_rate_hz = LIMIT_SAMPLE_RATE_HZ, .caps = CAPS_ALL };

static struct want *want_new(const struct plan *plan, const struct cgroups *cgroups,
			     const struct ceiling *ceiling, const struct want *prev, int64_t now_ns)
{
	struct want *want = xmalloc(sizeof(*want));

	resolve(plan, cgroups, ceiling, prev, now_ns, want);
	return want;
}

static void want_free(struct want *want)
{
	want_release(want);
	free(want);
}

static size_t row_of_class(const struct want *want, const char *id)
{
	for (size_t row = 2; row < want->cls_nr; row++)
		if (want->cls[row].used && strcmp(want->cls[row].id, id) == 0)
			return row;
	fail_msg("no row of class '%s'", id);
	return 0;
}

static const struct want_cgroup *want_of(const struct want *want, uint64_t id)
{
	for (size_t i = 0; i < want->cgroup_nr; i++)
		if (want->cgroup[i].id == id)
			return &want->cgroup[i];
	return NULL;
}

static void a_step_holds_while_all_its_boosts_live(void **state)
{
	struct plan plan = plan_of(BOOSTED, SEC);
	const struct plan_class *cls = plan_find_class(&plan, "shop");
	static const struct {
		int64_t at_ns;
		uint32_t rate_hz;
	} cases[] = { { SEC, 100 },	    { 11 * SEC - 1, 100 }, { 11 * SEC, 49 },
		      { 31 * SEC - 1, 49 }, { 31 * SEC, 19 },	   { 61 * SEC, 19 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(step_in_force(&plan, cls, cases[i].at_ns)->rate_hz,
				 cases[i].rate_hz);
	assert_int_equal(plan_next_end(&plan, SEC), 11 * SEC);
	assert_int_equal(plan_next_end(&plan, 11 * SEC), 31 * SEC);
	assert_true(plan_next_end(&plan, 31 * SEC) == INT64_MAX);
	plan_release(&plan);
}

static void without_a_plan_everything_has_the_builtin_rate(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);
	struct want *want;

	(void)state;
	cgroups_add(cgroups, 9, POD_A);
	cgroups_add(cgroups, 3, "/system.slice");
	want = want_new(NULL, cgroups, &high, NULL, 0);
	assert_int_equal(want->cls[PROF_CLASS_UNKNOWN].rate_hz, RATE_HZ_DEFAULT);
	assert_int_equal(want->cls[PROF_CLASS_OUTSIDE].rate_hz, 0);
	assert_int_equal(want->cgroup_nr, 2);
	assert_int_equal(want->cgroup[0].id, 3);
	assert_int_equal(want->cgroup[0].cls, PROF_CLASS_OUTSIDE);
	assert_int_equal(want->cgroup[0].slot, 0);
	assert_int_equal(want->cls[want->cgroup[1].cls].rate_hz, RATE_HZ_DEFAULT);
	assert_true(want->cgroup[1].cls > PROF_CLASS_OUTSIDE);
	assert_int_not_equal(want->cgroup[1].slot, 0);
	assert_int_equal(want->base_hz, 53);
	want_free(want);
	cgroups_free(cgroups);
}

static void containers_have_their_class_and_strangers_the_default(void **state)
{
	struct cgroups *cgroups = cgroups_new(10);
	struct plan plan = plan_of(BOOSTED, 0);
	struct want *want;

	(void)state;
	cgroups_bind(cgroups, &plan);
	cgroups_add(cgroups, 1, POD_A);
	cgroups_add(cgroups, 2, "/kubepods/podbbbbbbbb-0000-0000-0000-000000000002");
	want = want_new(&plan, cgroups, &high, NULL, 0);
	assert_int_equal(want->cls[want_of(want, 1)->cls].rate_hz, 100);
	assert_int_equal(want->cls[want_of(want, 1)->cls].caps, CAP_CPU_SAMPLING | CAP_KERNEL);
	assert_int_equal(want->cls[want_of(want, 2)->cls].rate_hz, 7);
	assert_int_equal(want->cls[PROF_CLASS_UNKNOWN].rate_hz, 7);
	assert_int_equal(want->base_hz, 107);
	cgroups_gone(cgroups, 1, 5);
	want_free(want);
	want = want_new(&plan, cgroups, &high, NULL, 31 * SEC);
	assert_null(want_of(want, 1));
	assert_int_equal(want->base_hz, 53);
	want_free(want);
	cgroups_free(cgroups);
	plan_release(&plan);
}

static void a_container_without_a_slot_is_not_sampled(void **state)
{
	struct cgroups *cgroups = cgroups_new(1);
	struct want *want;

	(void)state;
	cgroups_add(cgroups, 1, POD_A);
	want = want_new(NULL, cgroups, &high, NULL, 0);
	assert_int_equal(want_of(want, 1)->cls, PROF_CLASS_OUTSIDE);
	want_free(want);
	cgroups_free(cgroups);
}

static void the_ceiling_has_the_last_word(void **state)
{
	struct cgroups *cgroups = cgroups_new(1);
	struct plan plan = plan_of(BOOSTED, 0);
	const struct ceiling low = { .max_rate_hz = 30, .caps = CAP_CPU_SAMPLING };
	const struct ceiling none = { .max_rate_hz = 30, .caps = CAP_KERNEL };
	struct want *want = want_new(&plan, cgroups, &low, NULL, 0);
	const struct want_class *cls = &want->cls[row_of_class(want, "shop")];

	(void)state;
	assert_int_equal(cls->rate_hz, 30);
	assert_int_equal(cls->caps, CAP_CPU_SAMPLING);
	assert_true(cls->clamped);
	assert_false(want->cls[row_of_class(want, "")].clamped);
	want_free(want);
	want = want_new(&plan, cgroups, &none, NULL, 0);
	assert_int_equal(want->cls[row_of_class(want, "shop")].rate_hz, 0);
	want_free(want);
	cgroups_free(cgroups);
	plan_release(&plan);
}

static void the_base_is_the_prime_above_the_highest_rate(void **state)
{
	static const struct {
		uint32_t max_hz, base_hz;
	} cases[] = {
		{ 0, 53 }, { 49, 53 }, { 50, 107 }, { 100, 107 }, { 101, 211 }, { 200, 211 }
	};
	struct cgroups *cgroups = cgroups_new(1);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct plan plan =
			plan_of("{'classes':[{'id':'x','steps':[{'hz':200,'caps':['cpu']}]}]}", 0);
		const struct ceiling ceiling = { .max_rate_hz = cases[i].max_hz, .caps = CAPS_ALL };
		struct want *want = want_new(&plan, cgroups, &ceiling, NULL, 0);

		assert_int_equal(want->base_hz, cases[i].base_hz);
		want_free(want);
		plan_release(&plan);
	}
	cgroups_free(cgroups);
}

/* --- properties, over random plans --- */

static uint32_t rnd(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

static struct plan random_plan(uint32_t *seed)
{
	char text[16384];
	size_t len = (size_t)snprintf(text, sizeof(text), "{'boosts':[");

	for (int i = 0; i < 6; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%s{'id':'b%d','expires_in_ms':%u,'ttl_ms':%u}",
					i ? "," : "", i, 10000 + rnd(seed, 60000),
					10000 + rnd(seed, 60000));
	len += (size_t)snprintf(text + len, sizeof(text) - len, "],'classes':[");
	for (int i = 0, nr = 0; i < 12; i++) {
		if (rnd(seed, 2))
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s{'id':'%s%d','steps':[",
					nr++ ? "," : "", "ns", i);
		for (uint32_t steps = rnd(seed, 4); steps > 0; steps--)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"{'hz':%u,'caps':['cpu'],'boosts':['b%u']},",
						rnd(seed, 201), rnd(seed, 6));
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"{'hz':%u,'caps':['cpu']}]}", rnd(seed, 201));
	}
	snprintf(text + len, sizeof(text) - len, "]}");
	return plan_of(text, 0);
}

static void check_rows(const struct plan *plan, const struct want *want,
		       const struct ceiling *ceiling, int64_t now_ns)
{
	for (size_t row = 0; row < want->cls_nr; row++) {
		assert_true(want->cls[row].rate_hz <= ceiling->max_rate_hz);
		assert_true(want->cls[row].rate_hz < want->base_hz);
		assert_true(want->cls[row].used || want->cls[row].rate_hz == 0);
	}
	for (size_t i = 0; i < plan->cls_nr; i++) {
		const struct plan_class *cls = &plan->cls[i];
		uint32_t last = cls->step[cls->step_nr - 1].rate_hz;

		if (now_ns >= 70 * SEC)
			assert_int_equal(want->cls[row_of_class(want, cls->id)].rate_hz,
					 MIN(last, ceiling->max_rate_hz));
	}
}

static void check_rows_are_kept(const struct want *prev, const struct want *want)
{
	for (size_t row = 2; row < prev->cls_nr; row++)
		for (size_t other = 2; prev->cls[row].used && other < want->cls_nr; other++)
			if (want->cls[other].used &&
			    strcmp(prev->cls[row].id, want->cls[other].id) == 0)
				assert_int_equal(row, other);
}

static void over_random_plans_no_rate_is_above_the_ceiling_boosts_end_and_rows_stay(void **state)
{
	struct cgroups *cgroups = cgroups_new(1);
	uint32_t seed = 4711;
	struct want *prev = NULL;

	(void)state;
	for (int i = 0; i < 300; i++) {
		struct plan plan = random_plan(&seed);
		const struct ceiling ceiling = { .max_rate_hz = rnd(&seed, 201), .caps = CAPS_ALL };
		int64_t now_ns = (int64_t)rnd(&seed, 100) * SEC;
		struct want *want = want_new(&plan, cgroups, &ceiling, prev, now_ns);

		check_rows(&plan, want, &ceiling, now_ns);
		if (prev) {
			check_rows_are_kept(prev, want);
			want_free(prev);
		}
		prev = want;
		plan_release(&plan);
	}
	want_free(prev);
	cgroups_free(cgroups);
}

static void as_many_classes_as_a_plan_may_have_find_room_twice_over(void **state)
{
	struct cgroups *cgroups = cgroups_new(1);
	struct plan plan = { .cls_nr = LIMIT_PLAN_CLASSES };
	struct plan_step step = { .rate_hz = 5, .caps = CAPS_ALL };
	struct want *first, *second;

	(void)state;
	plan.cls = xcalloc(plan.cls_nr, sizeof(*plan.cls));
	for (size_t i = 0; i < plan.cls_nr; i++)
		plan.cls[i] = (struct plan_class){ .id = xasprintf("a%04zu", i),
						   .step = &step,
						   .step_nr = 1 };
	first = want_new(&plan, cgroups, &high, NULL, 0);
	for (size_t i = 0; i < plan.cls_nr; i++)
		plan.cls[i].id[0] = 'b';
	second = want_new(&plan, cgroups, &high, first, 0);
	row_of_class(second, "b0000");
	row_of_class(second, "b1020");
	/* None has the row of another that goes: it would have its rate until the cgroups are moved. */
	for (size_t row = row_of_class(first, "") + 1; row < first->cls_nr; row++)
		assert_false(second->cls[row].used);
	want_free(first);
	want_free(second);
	for (size_t i = 0; i < plan.cls_nr; i++)
		free(plan.cls[i].id);
	free(plan.cls);
	cgroups_free(cgroups);
}

static void what_has_no_room_is_told_with_its_namespace(void **state)
{
	struct cgroups *cgroups = cgroups_new(2);
	struct plan plan = plan_of(BOOSTED, 0);
	struct control_missing missing;
	struct want *want;

	(void)state;
	cgroups_bind(cgroups, &plan);
	cgroups_add(cgroups, 1, POD_A);
	want = want_new(&plan, cgroups, &high, NULL, 0);
	resolve_missing(want, cgroups, &missing);
	assert_int_equal(missing.cgroups, 0);
	want_free(want);
	/* Another pod finds no slot, and nobody knows its namespace; then one below ours finds no row. */
	cgroups_add(cgroups, 2, "/kubepods/podbbbbbbbb-0000-0000-0000-000000000001");
	want = want_new(&plan, cgroups, &high, NULL, 0);
	resolve_missing(want, cgroups, &missing);
	assert_int_equal(missing.cgroups, 1);
	assert_false(control_missing_has(&missing, "shop"));
	want_free(want);
	cgroups_add(cgroups, 3, POD_A "/inner");
	want = want_new(&plan, cgroups,
			&(struct ceiling){ .max_rate_hz = 200, .caps = CAPS_ALL, .cgroups = 2 },
			NULL, 0);
	resolve_missing(want, cgroups, &missing);
	assert_int_equal(missing.cgroups, 2);
	assert_true(control_missing_has(&missing, "shop"));
	assert_false(missing.more);
	want_free(want);
	plan_release(&plan);
	cgroups_free(cgroups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_holds_while_all_its_boosts_live),
		cmocka_unit_test(without_a_plan_everything_has_the_builtin_rate),
		cmocka_unit_test(containers_have_their_class_and_strangers_the_default),
		cmocka_unit_test(a_container_without_a_slot_is_not_sampled),
		cmocka_unit_test(the_ceiling_has_the_last_word),
		cmocka_unit_test(the_base_is_the_prime_above_the_highest_rate),
		cmocka_unit_test(
			over_random_plans_no_rate_is_above_the_ceiling_boosts_end_and_rows_stay),
		cmocka_unit_test(what_has_no_room_is_told_with_its_namespace),
		cmocka_unit_test(as_many_classes_as_a_plan_may_have_find_room_twice_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
