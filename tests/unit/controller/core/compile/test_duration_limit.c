/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/core/compile/duration_limit.h"
#include "tests/unit/controller/world.h"

#define MINUTE (60 * NSEC_PER_SEC)

static void give(struct store *store, const char *name, const char *spec)
{
	cleanup(freep) char *text = xasprintf(
		"{\"apiVersion\": \"profiling.rubato.dev/v1alpha1\", \"kind\": "
		"\"ClusterProfilingPolicy\", \"metadata\": {\"name\": \"%s\"}, \"spec\": %s}",
		name, spec);

	world_apply(store, NULL, world_object_text(text), 0);
}

static void check(const struct duration_limit *limit, int64_t ns, const char *by)
{
	assert_int_equal(limit->ns, ns);
	assert_string_equal(limit->by ? limit->by : "", by);
}

static void without_limits_a_boost_lasts_as_long_as_it_says(void **state)
{
	struct store *store = store_new();
	struct duration_limits limits;

	(void)state;
	give(store, "a", "{\"limits\": {\"maxSampleRateHz\": 10}}");
	duration_limits_of(store, "payments", &limits);
	check(&limits.all, INT64_MAX, "");
	check(&limits.some, INT64_MAX, "");
	store_free(store);
}

static void the_strictest_that_matches_the_namespace_counts(void **state)
{
	struct store *store = store_new();
	struct duration_limits limits;

	(void)state;
	give(store, "a", "{\"limits\": {\"maxDuration\": \"1h\"}}");
	give(store, "b", "{\"limits\": {\"maxDuration\": \"5m\"}}");
	give(store, "c",
	     "{\"namespaceSelector\": {\"matchLabels\": {\"x\": \"\"}}, \"limits\": "
	     "{\"maxDuration\": \"1m\"}}");
	duration_limits_of(store, "payments", &limits);
	check(&limits.all, 5 * MINUTE, "b");
	store_free(store);
}

/* Also one that a node without labels matches. */
static void a_limit_of_some_nodes_does_not_end_the_boost_on_all(void **state)
{
	struct store *store = store_new();
	struct duration_limits limits;

	(void)state;
	give(store, "edge",
	     "{\"nodeSelector\": {\"matchExpressions\": [{\"key\": \"big\", \"operator\": "
	     "\"DoesNotExist\"}]}, \"limits\": {\"maxDuration\": \"1m\"}}");
	duration_limits_of(store, "payments", &limits);
	check(&limits.all, INT64_MAX, "");
	check(&limits.some, MINUTE, "edge");
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_limits_a_boost_lasts_as_long_as_it_says),
		cmocka_unit_test(the_strictest_that_matches_the_namespace_counts),
		cmocka_unit_test(a_limit_of_some_nodes_does_not_end_the_boost_on_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
