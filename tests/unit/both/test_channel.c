/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "tests/unit/both/channel.h"

/* Both ends up and in session; returns the port. */
static int join(void)
{
	int port = rig_start_hub_at(&rig, 0);

	assert_true(port > 0);
	assert_int_equal(rig_start_client(&rig, port), 0);
	assert_true(rig_until(&rig, rig_is_connected, 3000));
	return port;
}

static void a_plan_is_applied_and_confirmed(void **state)
{
	struct hub_node node;
	char hash[PLAN_HASH_HEX];
	struct plan plan = rig_plan(100, 3);

	(void)state;
	plan_hash(&plan, hash);
	join();
	rig_want(&rig, plan);
	assert_int_equal(rig_node_state(&rig), HUB_PENDING);
	assert_true(rig_until(&rig, rig_is_applied, 2000));
	assert_true(hub_node_get(rig.hub, NODE, &node));
	assert_int_equal(node.applied_seq, node.wanted_seq);
	assert_string_equal(rig.hash, hash);
	assert_int_equal(node.max_rate_hz, 200);
	assert_false(node.clamped);
	assert_int_equal(rig.applied, 1);
	assert_int_equal(rig.rate_hz, 100);
	assert_int_equal(rig.target_nr, 3);
	assert_string_equal(control_client_node(rig.client), NODE);
}

static double sent_bytes(void)
{
	return metric_get(metrics_counter(rig.hub_metrics, "rubato_controller_sent_bytes_total", "",
					  METRIC_NO_LABELS));
}

static double sent(const char *type)
{
	return metric_get(metrics_counter(rig.hub_metrics, "rubato_controller_messages_sent_total",
					  "", METRIC_LABELS("type", type)));
}

/* Wanted and confirmed. */
static void settle(struct plan plan)
{
	rig_want(&rig, plan);
	assert_true(rig_until(&rig, rig_is_applied, 8000));
	rig_wait(&rig, 20); /* the reply to the answer */
}

static void a_rate_change_is_one_small_message(void **state)
{
	double before;

	(void)state;
	join();
	settle(rig_plan(19, 110));
	before = sent_bytes();
	assert_true(before > 10000);
	settle(rig_plan(100, 110));
	assert_int_equal(rig.rate_hz, 100);
	assert_true(sent_bytes() - before < 600);
	assert_true(sent("delta") == 1);
}

static void an_equal_plan_costs_nothing(void **state)
{
	double before;

	(void)state;
	join();
	settle(rig_plan(19, 5));
	before = sent_bytes();
	settle(rig_plan(19, 5));
	assert_true(sent_bytes() == before);
	assert_int_equal(rig.applied, 1);
}

static void of_several_plans_only_the_last_is_sent(void **state)
{
	(void)state;
	join();
	for (uint32_t hz = 1; hz <= 50; hz++)
		rig_want(&rig, rig_plan(hz, 1));
	settle(rig_plan(60, 1));
	assert_int_equal(rig.rate_hz, 60);
	assert_true(rig.applied <= 2);
}

static void a_refused_plan_keeps_the_last_good_one_and_is_not_sent_again(void **state)
{
	struct hub_node node;

	(void)state;
	join();
	settle(rig_plan(19, 1));
	rig.refuse = -ENOSPC;
	rig_want(&rig, rig_plan(100, 1));
	assert_true(rig_until(&rig, rig_is_failed, 2000));
	assert_true(hub_node_get(rig.hub, NODE, &node));
	assert_string_equal(node.error, "the map is full");
	rig.refuse = 0;
	rig_wait(&rig, 300);
	assert_int_equal(rig.applied, 1);
	assert_int_equal(rig.rate_hz, 19);
	settle(rig_plan(50, 1));
	assert_int_equal(rig.rate_hz, 50);
}

static void a_clamped_plan_counts_as_applied_and_says_so(void **state)
{
	struct hub_node node;

	(void)state;
	rig.clamp = true;
	join();
	settle(rig_plan(100, 1));
	assert_true(hub_node_get(rig.hub, NODE, &node));
	assert_true(node.clamped);
}

static bool has_missing(struct rig *r)
{
	struct hub_node node;

	return hub_node_get(r->hub, NODE, &node) && node.missing;
}

static bool has_nothing_missing(struct rig *r)
{
	return !has_missing(r);
}

static void what_a_node_has_no_room_for_is_told_with_the_answer_and_when_it_changes(void **state)
{
	struct control_missing missing = { .cgroups = 3, .ns = { "pay" }, .ns_nr = 1 };
	struct hub_node node;

	(void)state;
	rig.missing = missing;
	join();
	settle(rig_plan(100, 1));
	assert_true(hub_node_get(rig.hub, NODE, &node));
	assert_int_equal(node.state, HUB_APPLIED);
	assert_true(control_missing_has(node.missing, "pay"));
	assert_false(control_missing_has(node.missing, "shop"));
	control_client_missing(rig.client, &(struct control_missing){ 0 });
	assert_true(rig_until(&rig, has_nothing_missing, 1000));
	control_client_missing(rig.client, &missing);
	assert_true(rig_until(&rig, has_missing, 1000));
	assert_true(hub_node_get(rig.hub, NODE, &node));
	assert_int_equal(node.state, HUB_APPLIED);
}

static bool is_at_base_rate(struct rig *r)
{
	return r->rate_hz == 19;
}

static int64_t ms_until_base_rate(void)
{
	int64_t start_ns = now_boot_ns();

	assert_true(rig_until(&rig, is_at_base_rate, 5000));
	return (now_boot_ns() - start_ns) / NSEC_PER_MSEC;
}

static void a_boost_ends_by_itself_at_its_deadline(void **state)
{
	int64_t ms;

	(void)state;
	join();
	settle(rig_boosted(19, 100, 700));
	assert_int_equal(rig.rate_hz, 100);
	ms = ms_until_base_rate();
	assert_in_range(ms, 400, 900);
	assert_int_equal(rig.applied, 2);
}

static void a_boost_without_a_controller_ends_at_its_dead_man_time(void **state)
{
	int64_t ms;

	(void)state;
	rig.ttl_ms = 900;
	join();
	settle(rig_boosted(19, 100, 60000));
	rig_stop_hub(&rig);
	assert_int_equal(rig.rate_hz, 100);
	ms = ms_until_base_rate();
	assert_in_range(ms, 100, 1000);
}

static void a_boost_lives_as_long_as_its_controller_says_so(void **state)
{
	(void)state;
	rig.ttl_ms = 450;
	join();
	settle(rig_boosted(19, 100, 60000));
	rig_wait(&rig, 1500);
	assert_int_equal(rig.rate_hz, 100);
	assert_int_equal(rig.applied, 1);
	assert_true(sent("ttl") >= 5);
}

static bool is_in_second_session(struct rig *r)
{
	return r->sessions == 2;
}

static void a_restarted_controller_with_the_same_plan_sends_and_applies_nothing(void **state)
{
	double plans;
	int port;

	(void)state;
	port = join();
	settle(rig_plan(100, 5));
	plans = sent("plan");
	rig_stop_hub(&rig);
	assert_false(rig.connected);
	assert_int_equal(rig_start_hub_at(&rig, port), port);
	rig_want(&rig, rig_plan(100, 5));
	assert_true(rig_until(&rig, is_in_second_session, 20000));
	assert_true(rig_until(&rig, rig_is_applied, 1000));
	assert_int_equal(rig.applied, 1);
	assert_true(sent("plan") == plans);
	/* and what changes next is a delta to it */
	settle(rig_plan(50, 5));
	assert_true(sent("plan") == plans);
	assert_int_equal(rig.rate_hz, 50);
}

static void an_agent_that_lost_its_plan_gets_the_whole_one(void **state)
{
	int port;

	(void)state;
	port = join();
	settle(rig_plan(100, 5));
	rig_stop_client(&rig);
	assert_int_equal(rig_node_state(&rig), HUB_ABSENT);
	rig_want(&rig, rig_plan(50, 5));
	assert_int_equal(rig_start_client(&rig, port), 0);
	assert_true(rig_until(&rig, rig_is_applied, 3000));
	assert_true(sent("plan") == 2);
	assert_int_equal(rig.rate_hz, 50);
}

static void an_agent_that_starts_alone_goes_on_with_its_last_good_plan(void **state)
{
	int port;

	(void)state;
	rig.keep_state = true;
	port = join();
	settle(rig_boosted(19, 100, 60000));
	rig_stop_client(&rig);
	rig_stop_hub(&rig);
	rig.applied = rig.rate_hz = 0;
	assert_int_equal(rig_start_client(&rig, port), 0);
	assert_int_equal(rig.applied, 1);
	assert_int_equal(rig.rate_hz, 100);
}

static void a_controller_with_an_older_epoch_is_not_obeyed(void **state)
{
	char *dir = pki_path(&rig.pki, "agent-state");
	char *path = pki_path(&rig.pki, "agent-state/epoch");
	FILE *file;
	int port;

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("{\"epoch\":{\"t\":9000000000,\"n\":1}}", file);
	fclose(file);
	free(dir);
	free(path);
	rig.keep_state = true;
	port = rig_start_hub_at(&rig, 0);
	rig_want(&rig, rig_plan(100, 1));
	assert_int_equal(rig_start_client(&rig, port), 0);
	rig_wait(&rig, 500);
	assert_false(rig.connected);
	assert_int_equal(rig.applied, 0);
	/* The controller knows why. */
	assert_true(
		metric_get(metrics_counter(rig.hub_metrics, "rubato_controller_agents_stale_total",
					   "", METRIC_NO_LABELS)) >= 1);
}

static void a_node_that_is_dropped_and_comes_back_is_served(void **state)
{
	(void)state;
	join();
	settle(rig_plan(100, 1));
	hub_drop_node(rig.hub, NODE);
	rig_want(&rig, rig_plan(50, 1));
	assert_true(rig_until(&rig, is_in_second_session, 20000));
	assert_true(rig_until(&rig, rig_is_applied, 1000));
	assert_int_equal(rig.rate_hz, 50);
}

static void an_agent_does_not_trust_a_controller_of_another_ca(void **state)
{
	struct pki other;
	char *path;
	int port;

	(void)state;
	pki_init(&other);
	path = pki_path(&rig.pki, "other.crt");
	{
		FILE *file = fopen(path, "we");

		PEM_write_X509(file, other.ca);
		fclose(file);
	}
	free(path);
	pki_release(&other);
	rig.ca = "other.crt";
	port = rig_start_hub_at(&rig, 0);
	assert_int_equal(rig_start_client(&rig, port), 0);
	rig_wait(&rig, 500);
	assert_false(rig.connected);
}

static void an_agent_does_not_trust_a_certificate_of_another_name(void **state)
{
	int port;

	(void)state;
	pki_leaf(&rig.pki, "controller", "elsewhere.test", "DNS:elsewhere.test");
	port = rig_start_hub_at(&rig, 0);
	assert_int_equal(rig_start_client(&rig, port), 0);
	rig_wait(&rig, 500);
	assert_false(rig.connected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_plan_is_applied_and_confirmed),
		TEST(a_rate_change_is_one_small_message),
		TEST(an_equal_plan_costs_nothing),
		TEST(of_several_plans_only_the_last_is_sent),
		TEST(a_refused_plan_keeps_the_last_good_one_and_is_not_sent_again),
		TEST(a_clamped_plan_counts_as_applied_and_says_so),
		TEST(what_a_node_has_no_room_for_is_told_with_the_answer_and_when_it_changes),
		TEST(a_boost_ends_by_itself_at_its_deadline),
		TEST(a_boost_without_a_controller_ends_at_its_dead_man_time),
		TEST(a_boost_lives_as_long_as_its_controller_says_so),
		TEST(a_restarted_controller_with_the_same_plan_sends_and_applies_nothing),
		TEST(an_agent_that_lost_its_plan_gets_the_whole_one),
		TEST(an_agent_that_starts_alone_goes_on_with_its_last_good_plan),
		TEST(a_controller_with_an_older_epoch_is_not_obeyed),
		TEST(a_node_that_is_dropped_and_comes_back_is_served),
		TEST(an_agent_does_not_trust_a_controller_of_another_ca),
		TEST(an_agent_does_not_trust_a_certificate_of_another_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
