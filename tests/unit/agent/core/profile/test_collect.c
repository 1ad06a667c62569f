/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "agent/core/profile/collect.h"
#include "agent/core/model/sample.h"
#include "tests/unit/agent/plans.h"

#define SEC NSEC_PER_SEC
#define UID_A "aaaaaaaa-0000-0000-0000-000000000001"
#define CID_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define POD_A "/kubepods/pod" UID_A "/" CID_1
#define PLAN                                                                                       \
	"{'classes':[{'id':'shop','steps':[{'hz':19,'caps':['cpu']}]}],'targets':[{'uid':'" UID_A  \
	"','ns':'shop','pod':'cart','class':'shop','containers':[{'name':'app'}]}]}"

/* What came out: one line for each profile, "NS/POD/CONTAINER RATE START+DURATION CPU", times in ms. */
struct seen {
	char text[4096];
	uint64_t cpu_ns;
	uint64_t clock_seen_ns, clock_taken_ns;
};

static void add(void *ctx, struct profile *profile, const struct sample *sample)
{
	struct frame frame = { .file = FRAME_KERNEL, .addr = sample->user_nr };

	(void)ctx;
	profile_add(profile, &frame, 1, sample->cpu_ns, sample->samples);
}

static void read_clock(void *ctx, uint32_t slot, uint64_t *ret_seen_ns, uint64_t *ret_taken_ns)
{
	struct seen *seen = ctx;

	assert_int_not_equal(slot, 0);
	*ret_seen_ns = seen->clock_seen_ns;
	*ret_taken_ns = seen->clock_taken_ns;
}

static void done(void *ctx, const struct collect_done *done, size_t nr)
{
	struct seen *seen = ctx;

	for (size_t i = 0; i < nr; i++) {
		const struct profile_meta *meta = &done[i].meta;
		size_t len = strlen(seen->text);

		seen->cpu_ns += done[i].profile->cpu_ns;
		snprintf(seen->text + len, sizeof(seen->text) - len, "%s/%s/%s %u %lld+%lld %llu\n",
			 meta->ns, meta->pod, meta->container, meta->rate_hz,
			 (long long)meta->start_ns / 1000000,
			 (long long)meta->duration_ns / 1000000,
			 (unsigned long long)done[i].profile->cpu_ns);
	}
}

static const struct collect_events events = { .add = add, .clock = read_clock, .done = done };

struct fixture {
	struct cgroups *cgroups;
	struct collect *collect;
	struct plan plan;
	struct seen seen;
};

static void setup(struct fixture *f, int64_t hold_ns)
{
	memset(f, 0, sizeof(*f));
	f->cgroups = cgroups_new(10);
	f->plan = plan_of(PLAN, 0);
	f->collect = collect_new(f->cgroups, &events, &f->seen, hold_ns, 0);
}

static void teardown(struct fixture *f)
{
	collect_free(f->collect);
	cgroups_free(f->cgroups);
	plan_release(&f->plan);
}

static void take(struct fixture *f, uint64_t cgroup, uint32_t rate_hz, uint64_t cpu_ns)
{
	const struct sample sample = {
		.cgroup = cgroup, .rate_hz = rate_hz, .cpu_ns = cpu_ns, .samples = 1
	};

	collect_sample(f->collect, &sample);
}

static void rate(struct fixture *f, uint32_t rate_hz, int64_t now_ns)
{
	collect_rate(f->collect, cgroups_find(f->cgroups, 1)->container, rate_hz, now_ns);
}

static void window(struct fixture *f, int64_t now_ns, const char *expected)
{
	f->seen.text[0] = '\0';
	collect_window(f->collect, now_ns, false);
	assert_string_equal(f->seen.text, expected);
}

static void named(struct fixture *f)
{
	setup(f, COLLECT_HOLD_NS);
	cgroups_bind(f->cgroups, &f->plan);
	cgroups_add(f->cgroups, 1, POD_A);
	rate(f, 19, 0);
}

static void a_window_gives_one_profile_for_each_container_that_ran(void **state)
{
	struct fixture f;

	(void)state;
	named(&f);
	cgroups_add(f.cgroups, 2, POD_A "/child");
	cgroups_add(f.cgroups, 3, "/kubepods/podbbbbbbbb-0000-0000-0000-000000000002");
	take(&f, 1, 19, 5);
	take(&f, 2, 19, 7);
	window(&f, 10 * SEC, "shop/cart/app 19 0+10000 12\n");
	window(&f, 20 * SEC, "");
	take(&f, 1, 19, 3);
	window(&f, 30 * SEC, "shop/cart/app 19 20000+10000 3\n");
	teardown(&f);
}

static void a_change_of_rate_cuts_and_late_samples_find_their_side(void **state)
{
	struct fixture f;

	(void)state;
	named(&f);
	take(&f, 1, 19, 5);
	rate(&f, 100, 4 * SEC);
	take(&f, 1, 100, 1);
	take(&f, 1, 19, 2);
	rate(&f, 19, 6 * SEC);
	rate(&f, 19, 7 * SEC);
	take(&f, 1, 100, 8);
	take(&f, 1, 19, 4);
	window(&f, 10 * SEC,
	       "shop/cart/app 19 0+4000 7\nshop/cart/app 100 4000+2000 9\n"
	       "shop/cart/app 19 6000+4000 4\n");
	teardown(&f);
}

static void a_rate_nobody_expected_has_a_profile_of_its_own(void **state)
{
	struct fixture f;

	(void)state;
	named(&f);
	rate(&f, 100, 2 * SEC);
	window(&f, 10 * SEC, "");
	take(&f, 1, 19, 5);
	take(&f, 1, 100, 1);
	take(&f, 1, 19, 2);
	window(&f, 20 * SEC, "shop/cart/app 19 10000+0 7\nshop/cart/app 100 10000+9999 1\n");
	teardown(&f);
}

static void samples_wait_for_the_plan_to_name_their_container(void **state)
{
	struct fixture f;
	struct collect_stats stats;

	(void)state;
	setup(&f, 30 * SEC);
	cgroups_add(f.cgroups, 1, POD_A);
	rate(&f, 19, 0);
	take(&f, 1, 19, 5);
	window(&f, 10 * SEC, "");
	collect_stats(f.collect, &stats);
	assert_int_equal(stats.unnamed, 1);
	take(&f, 1, 19, 6);
	cgroups_bind(f.cgroups, &f.plan);
	window(&f, 20 * SEC, "shop/cart/app 19 0+10000 5\nshop/cart/app 19 10000+10000 6\n");
	teardown(&f);
}

static void a_container_that_nobody_names_goes_out_as_unknown(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 15 * SEC);
	cgroups_add(f.cgroups, 1, POD_A);
	rate(&f, 19, 0);
	take(&f, 1, 19, 5);
	window(&f, 10 * SEC, "");
	window(&f, 20 * SEC, "_unknown/" UID_A "/111111111111 19 0+10000 5\n");
	take(&f, 1, 19, 6);
	f.seen.text[0] = '\0';
	collect_window(f.collect, 30 * SEC, true);
	assert_string_equal(f.seen.text, "_unknown/" UID_A "/111111111111 19 20000+10000 6\n");
	teardown(&f);
}

static void what_is_outside_is_counted_and_what_is_gone_unseen_is_kept(void **state)
{
	struct fixture f;
	struct collect_stats stats;

	(void)state;
	named(&f);
	cgroups_add(f.cgroups, 2, "/system.slice");
	take(&f, 2, 19, 5);
	take(&f, 77, 19, 6);
	window(&f, 10 * SEC, "_unknown/_gone/_gone 19 0+10000 6\n");
	collect_stats(f.collect, &stats);
	assert_int_equal(stats.outside_ns, 5);
	assert_int_equal(stats.cpu_ns, 6);
	teardown(&f);
}

static void at_its_end_a_container_gets_what_its_clock_still_holds_once(void **state)
{
	struct fixture f;

	(void)state;
	named(&f);
	take(&f, 1, 19, 5);
	f.seen.clock_seen_ns = 100;
	f.seen.clock_taken_ns = 60;
	cgroups_gone(f.cgroups, 1, 9 * SEC);
	window(&f, 10 * SEC, "shop/cart/app 19 0+10000 45\n");
	window(&f, 20 * SEC, "");
	collect_forget(f.collect, cgroups_find(f.cgroups, 1)->container);
	assert_string_equal(f.seen.text, "");
	teardown(&f);
}

static void forgetting_a_container_loses_nothing(void **state)
{
	struct fixture f;

	(void)state;
	named(&f);
	take(&f, 1, 19, 5);
	f.seen.clock_seen_ns = 3;
	collect_forget(f.collect, cgroups_find(f.cgroups, 1)->container);
	assert_int_equal(f.seen.cpu_ns, 8);
	window(&f, 10 * SEC, "");
	teardown(&f);
}

static uint32_t rnd(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

static uint64_t take_one(struct fixture *f, uint32_t *seed, uint64_t given)
{
	uint64_t cpu_ns = 1 + given % 13;

	take(f, rnd(seed, 3) ? 1 : 9, 25 + rnd(seed, 4) * 25, cpu_ns);
	return cpu_ns;
}

static void whatever_happens_no_cpu_time_is_lost(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct fixture f;
		uint64_t given = 0;
		int64_t now = 0;

		named(&f);
		for (int i = 0; i < 100; i++) {
			uint32_t what = rnd(&seed, 10);

			now += rnd(&seed, 1000000);
			if (what == 0)
				rate(&f, rnd(&seed, 4) * 25, now);
			else if (what == 1)
				collect_window(f.collect, now, false);
			else if (what == 2)
				cgroups_bind(f.cgroups, rnd(&seed, 2) ? &f.plan : NULL);
			else
				given += take_one(&f, &seed, given);
		}
		collect_window(f.collect, now + 1, true);
		assert_int_equal(f.seen.cpu_ns, given);
		teardown(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_gives_one_profile_for_each_container_that_ran),
		cmocka_unit_test(a_change_of_rate_cuts_and_late_samples_find_their_side),
		cmocka_unit_test(a_rate_nobody_expected_has_a_profile_of_its_own),
		cmocka_unit_test(samples_wait_for_the_plan_to_name_their_container),
		cmocka_unit_test(a_container_that_nobody_names_goes_out_as_unknown),
		cmocka_unit_test(what_is_outside_is_counted_and_what_is_gone_unseen_is_kept),
		cmocka_unit_test(at_its_end_a_container_gets_what_its_clock_still_holds_once),
		cmocka_unit_test(forgetting_a_container_loses_nothing),
		cmocka_unit_test(whatever_happens_no_cpu_time_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
