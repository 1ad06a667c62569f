/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/controller/core/status/status_rig.h"

/* What a status says of what was taken from a policy. */

static void a_limit_is_named_with_what_it_took(void **state)
{
	struct fixture f;
	json_t *status;

	(void)state;
	begin(&f);
	f.summary.clamped = true;
	f.summary.rate_from_hz = 100;
	f.summary.rate_to_hz = 80;
	f.summary.caps_lost = CAP_NATIVE;
	snprintf(f.summary.clamped_by, sizeof(f.summary.clamped_by), "fleet");
	f.limits.all = (struct duration_limit){ 30 * SECOND, "short" };
	clock_clamp(&f.clock, 30 * SECOND);
	check(&f, "Clamped", true, "Limited");
	status = status_build(&f.input);
	assert_string_equal(condition_text(status, "Clamped", "message"),
			    "100 Hz lowered to 80 Hz by fleet; native is not allowed; "
			    "duration 1m0s shortened to 30s by short");
	json_decref(status);
	object_free(f.object);
}

static void a_shortened_boost_says_so_as_long_as_it_is_one(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	check(&f, "Clamped", false, "WithinLimits");
	f.limits.some = (struct duration_limit){ 20 * SECOND, "edge" };
	check_message(&f, "Clamped", "it ends after 20s on nodes that edge selects");
	f.limits.all = (struct duration_limit){ 15 * SECOND, "short" };
	clock_clamp(&f.clock, 15 * SECOND);
	check_message(&f, "Clamped", "duration 1m0s shortened to 15s by short");
	f.limits.all.ns = INT64_MAX;
	check_message(&f, "Clamped", "duration 1m0s shortened to 15s by a limit that is no more");
	f.input.now.boot_ns = 15 * SECOND;
	check(&f, "Expired", true, "DurationOver");
	check(&f, "Clamped", true, "Limited");
	object_free(f.object);
}

static void where_cpu_is_dropped_it_says_why_nothing_is_sampled(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	snprintf(f.summary.cpu_off_by, sizeof(f.summary.cpu_off_by), "quiet");
	check_message(&f, "Overridden", "It is in force.");
	f.summary.rate_hz = 0;
	check_message(&f, "Overridden",
		      "It is in force. Nothing is sampled: quiet leaves out cpu.");
	check_message(
		&f, "Ready",
		"Every agent concerned has confirmed. Nothing is sampled: quiet leaves out cpu.");
	f.input.now.boot_ns = 60 * SECOND;
	check_message(&f, "Overridden", "Its duration is over.");
	object_free(f.object);
}

static void what_is_left_out_of_pods_is_told(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	f.summary.lost = 1U << POD_LOST_SERVICE | 1U << POD_LOST_CONTAINERS;
	f.summary.lost_pod = "shop-0";
	check(&f, "Programmed", true, "Confirmed");
	check_message(&f, "Programmed",
		      "Every agent concerned has confirmed. Left out of pod shop-0: the service "
		      "name (1 to 253 bytes, no control characters), containers beyond the 64th.");
	f.agents.pending = 1;
	check_message(&f, "Programmed", "Agents have yet to confirm.");
	object_free(f.object);
}

static void labels_that_are_not_kept_concern_those_who_select(void **state)
{
	struct fixture f;
	struct object *selecting = world_object_text(
		"{\"apiVersion\": \"profiling.rubato.dev/v1alpha1\", \"kind\": \"ProfilingPolicy\","
		"\"metadata\": {\"name\": \"p\", \"namespace\": \"a\", \"generation\": 4},"
		"\"spec\": {\"sampleRateHz\": 40, \"selector\": {\"matchLabels\": {\"app\": "
		"\"x\"}}}}");

	(void)state;
	begin(&f);
	f.summary.no_labels = true;
	check(&f, "Programmed", true, "Confirmed");
	f.input.object = selecting;
	check(&f, "Programmed", false, "LeftOut");
	check(&f, "Ready", false, "LeftOut");
	f.summary.pods = f.summary.nodes = 0; /* as far as one can know */
	check(&f, "Programmed", false, "LeftOut");
	check(&f, "Ready", false, "LeftOut");
	f.summary.no_labels = false;
	check(&f, "Ready", true, "NoTargets");
	object_free(selecting);
	object_free(f.object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_is_named_with_what_it_took),
		cmocka_unit_test(a_shortened_boost_says_so_as_long_as_it_is_one),
		cmocka_unit_test(what_is_left_out_of_pods_is_told),
		cmocka_unit_test(labels_that_are_not_kept_concern_those_who_select),
		cmocka_unit_test(where_cpu_is_dropped_it_says_why_nothing_is_sampled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
