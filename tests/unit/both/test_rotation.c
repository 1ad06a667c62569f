/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/both/channel.h"

/* Certificates that are replaced while both run. */

static void expect_end(struct metrics *metrics, const char *name, time_t from_now_s)
{
	const struct metric *end =
		metrics_gauge(metrics, name, "", METRIC_LABELS("certificate", "own"));

	assert_in_range((time_t)metric_get(end) - time(NULL), from_now_s - 100, from_now_s);
}

static void expect_ends(time_t from_now_s)
{
	expect_end(rig.hub_metrics, "rubato_controller_certificate_expiry_timestamp_seconds",
		   from_now_s);
	expect_end(rig.client_metrics, "rubato_agent_certificate_expiry_timestamp_seconds",
		   from_now_s);
}

static bool is_in_second_session(struct rig *r)
{
	return r->sessions == 2;
}

static void new_certificates_are_taken_and_their_end_is_told_without_a_restart(void **state)
{
	const struct pki_says agent = { .cn = NODE, .from_s = -60, .to_s = 7200 };
	const struct pki_says controller = { .cn = "controller.test",
					     .san = "DNS:controller.test,IP:127.0.0.1",
					     .from_s = -60,
					     .to_s = 7200 };

	(void)state;
	assert_int_equal(rig_start_client(&rig, rig_start_hub_at(&rig, 0)), 0);
	rig_want(&rig, rig_plan(100, 1));
	assert_true(rig_until(&rig, rig_is_applied, 3000));
	expect_ends(3600);
	pki_leaf_of(&rig.pki, "agent", &agent);
	pki_leaf_of(&rig.pki, "controller", &controller);
	hub_drop_node(rig.hub, NODE);
	rig_want(&rig, rig_plan(50, 1));
	assert_true(rig_until(&rig, is_in_second_session, 20000));
	expect_ends(7200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(new_certificates_are_taken_and_their_end_is_told_without_a_restart),
	};

	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
