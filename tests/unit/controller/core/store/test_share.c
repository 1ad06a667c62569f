/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/core/store/store.h"
#include "lib/core/limits.h"
#include "tests/unit/controller/world.h"

#define SECOND NSEC_PER_SEC

/* The one with the higher `age` is the older. */
static void give(struct store *store, const char *ns, unsigned n, unsigned age, bool boost)
{
	json_t *spec = json_pack("{s:i}", "sampleRateHz", 50);

	if (boost)
		set(spec, "duration", json_string("60s"));
	world_apply(store, NULL,
		    world_object(json_pack(
			    "{s:s, s:s, s:{s:o, s:s, s:o}, s:o}", "apiVersion",
			    PROFILING_API_VERSION, "kind", "ProfilingPolicy", "metadata", "name",
			    json_sprintf("p%04u", n), "namespace", ns, "creationTimestamp",
			    json_sprintf("2026-01-01T00:%02u:00Z", 59 - age), "spec", spec)),
		    0);
}

static enum share_verdict verdict(const struct store *store, const char *ns, unsigned n,
				  int64_t now_ns)
{
	cleanup(freep) char *name = xasprintf("p%04u", n);

	return share_look_up(store_share(store, ns, now_ns),
			     store_find(store, OBJECT_POLICY, ns, name));
}

static void the_newest_policies_are_beyond_the_share(void **state)
{
	struct store *store = store_new();

	(void)state;
	for (unsigned n = 0; n < LIMIT_NS_POLICIES; n++)
		give(store, "a", n, 10, false);
	assert_int_equal(store_share(store, "a", 0)->beyond, 0);
	give(store, "a", 9000, 20, false); /* older than all */
	give(store, "a", 9001, 0, false);
	assert_int_equal(verdict(store, "a", 9000, 0), SHARE_IN);
	assert_int_equal(verdict(store, "a", 9001, 0), SHARE_POLICIES);
	assert_int_equal(verdict(store, "a", LIMIT_NS_POLICIES - 1, 0), SHARE_POLICIES);
	assert_int_equal(store_share(store, "a", 0)->beyond, 2);
	give(store, "b", 1, 0, false);
	assert_int_equal(verdict(store, "b", 1, 0), SHARE_IN);
	store_delete(store, OBJECT_POLICY, "a", "p0000");
	store_delete(store, OBJECT_POLICY, "a", "p0001");
	assert_int_equal(verdict(store, "a", 9001, 0), SHARE_IN);
	store_free(store);
}

static void a_boost_that_has_ended_makes_room(void **state)
{
	struct store *store = store_new();

	(void)state;
	for (unsigned n = 0; n <= LIMIT_NS_BOOSTS; n++)
		give(store, "a", n, 10, true);
	give(store, "a", 9000, 0, false);
	assert_int_equal(verdict(store, "a", 9000, 0), SHARE_IN);
	assert_int_equal(verdict(store, "a", LIMIT_NS_BOOSTS - 1, 0), SHARE_IN);
	assert_int_equal(verdict(store, "a", LIMIT_NS_BOOSTS, 0), SHARE_BOOSTS);
	assert_true(store_share(store, "a", 0)->until_ns == 60 * SECOND);
	/* The ended ones are still shown. */
	give(store, "a", 9001, 0, true);
	assert_int_equal(verdict(store, "a", 9001, 60 * SECOND), SHARE_IN);
	assert_int_equal(verdict(store, "a", 0, 60 * SECOND), SHARE_IN);
	store_free(store);
}

static void who_is_in_the_share_follows_the_clocks(void **state)
{
	struct boost_clock over = { .generation = 1, .end_ns = SECOND, .durable = true };
	struct store *store = store_new();

	(void)state;
	for (unsigned n = 0; n <= LIMIT_NS_BOOSTS; n++)
		give(store, "a", n, 10, true);
	assert_int_equal(verdict(store, "a", LIMIT_NS_BOOSTS, 2 * SECOND), SHARE_BOOSTS);
	over.generation = store_find(store, OBJECT_POLICY, "a", "p0000")->generation;
	store_set_clock(store, "a", "p0000", &over);
	assert_int_equal(verdict(store, "a", LIMIT_NS_BOOSTS, 2 * SECOND), SHARE_IN);
	store_free(store);
}

static void what_has_ended_takes_no_place_of_what_may_be_in_force(void **state)
{
	struct store *store = store_new();

	(void)state;
	for (unsigned n = 0; n < LIMIT_NS_POLICIES; n++)
		give(store, "a", n, 50, true);
	for (unsigned n = 0; n < LIMIT_NS_POLICIES; n++)
		give(store, "a", 1000 + n, 0, false);
	for (unsigned n = 0; n < LIMIT_NS_POLICIES; n++)
		assert_int_equal(verdict(store, "a", 1000 + n, 60 * SECOND), SHARE_IN);
	assert_int_equal(store_share(store, "a", 60 * SECOND)->in.nr, LIMIT_NS_POLICIES);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_policies_are_beyond_the_share),
		cmocka_unit_test(a_boost_that_has_ended_makes_room),
		cmocka_unit_test(who_is_in_the_share_follows_the_clocks),
		cmocka_unit_test(what_has_ended_takes_no_place_of_what_may_be_in_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
