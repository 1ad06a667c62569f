/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/both/channel.h"
#include "tests/unit/both/proxy.h"

/* Connections that end after every number of bytes, either way: nobody uses what is gone (run it with
 * SANITIZE=address), and when the network is well again the agent is back.
 *
 * RUBATO_FAULT_STEP=1 tries every byte; by default a stride that no length of a record divides. */

#define AGENTS 32
#define BYTES 4600 /* more than an agent and a controller exchange until a plan is confirmed */
#define STEP 83

struct agent {
	struct proxy proxy;
	struct control_client *client;
	unsigned sessions;
	bool connected, closed;
};

static struct agent agents[AGENTS];

static int apply(void *ctx, const struct plan *plan, struct control_client_result *result,
		 struct err *err)
{
	(void)ctx;
	(void)plan;
	(void)result;
	(void)err;
	return 0;
}

static void on_state(void *ctx, bool connected, const char *node, const char *why)
{
	struct agent *agent = ctx;

	(void)node;
	(void)why;
	agent->connected = connected;
	agent->sessions += connected;
}

static void on_client_closed(void *ctx)
{
	((struct agent *)ctx)->closed = true;
}

static char *leaf_path(size_t i, const char *kind)
{
	return xasprintf("%s/agent-%zu.%s", rig.pki.dir, i, kind);
}

static void make_leaves(void)
{
	for (size_t i = 0; i < AGENTS; i++) {
		char *name = xasprintf("agent-%zu", i), *node = xasprintf("worker-%zu", i);

		pki_leaf(&rig.pki, name, node, NULL);
		free(name);
		free(node);
	}
}

static void start_agent(size_t i, int port, enum proxy_harm harm, bool from_server, size_t after)
{
	struct agent *agent = &agents[i];
	char *crt = leaf_path(i, "crt"), *key = leaf_path(i, "key");
	char *ca = pki_path(&rig.pki, "ca.crt");
	char *controller, *node = xasprintf("worker-%zu", i);
	const struct control_client_events events = { .apply = apply, .state = on_state };
	struct plan plan = rig_plan(49, 3);
	struct err err = ERR_INIT;
	int r;

	*agent = (struct agent){ .closed = false };
	proxy_start(&agent->proxy, &rig.loop, port);
	agent->proxy.harm = harm;
	agent->proxy.from_server = from_server;
	agent->proxy.after = after;
	hub_set_plan(rig.hub, node, &plan, HUB_LANE_NOW);
	controller = xasprintf("127.0.0.1:%d", agent->proxy.port);
	r = control_client_new(&rig.loop,
			       &(struct control_client_options){ .controller = controller,
								 .server_name = "controller.test",
								 .cert_file = crt,
								 .key_file = key,
								 .ca_file = ca },
			       &events, agent, &agent->client, &err);
	assert_int_equal(r, 0);
	free(crt);
	free(key);
	free(ca);
	free(node);
	free(controller);
}

static bool all_harmed(struct rig *r)
{
	(void)r;
	for (size_t i = 0; i < AGENTS; i++)
		if (!agents[i].proxy.harmed)
			return false;
	return true;
}

static bool all_connected(struct rig *r)
{
	(void)r;
	for (size_t i = 0; i < AGENTS; i++)
		if (!agents[i].connected)
			return false;
	return true;
}

static bool all_closed(struct rig *r)
{
	(void)r;
	for (size_t i = 0; i < AGENTS; i++)
		if (!agents[i].closed || agents[i].proxy.open)
			return false;
	return true;
}

static void stop_agents(void)
{
	for (size_t i = 0; i < AGENTS; i++) {
		control_client_close(agents[i].client, on_client_closed, &agents[i]);
		proxy_stop(&agents[i].proxy);
	}
	assert_true(rig_until(&rig, all_closed, 12000));
	for (size_t i = 0; i < AGENTS; i++)
		control_client_free(agents[i].client);
}

static size_t step(void)
{
	const char *text = getenv("RUBATO_FAULT_STEP");

	return text ? (size_t)atoi(text) : STEP;
}

/* AGENTS connections at a time, each harmed at another byte; then the network is well. */
static void check(enum proxy_harm harm, bool from_server)
{
	int port = rig_start_hub_at(&rig, 0);

	assert_true(port > 0);
	make_leaves();
	for (size_t after = 0; after <= BYTES; after += AGENTS * step()) {
		for (size_t i = 0; i < AGENTS; i++)
			start_agent(i, port, harm, from_server, after + i * step());
		/* Those whose number is never reached are simply connected. */
		rig_until(&rig, all_harmed, 400);
		for (size_t i = 0; i < AGENTS; i++)
			agents[i].proxy.harm = PROXY_NONE;
		if (harm != PROXY_STALL && step() > 1)
			assert_true(rig_until(&rig, all_connected, 15000));
		stop_agents();
	}
}

static void a_connection_cut_after_any_byte_to_the_controller(void **state)
{
	(void)state;
	check(PROXY_CUT, false);
}

static void a_connection_cut_after_any_byte_to_the_agent(void **state)
{
	(void)state;
	check(PROXY_CUT, true);
}

static void a_connection_reset_after_any_byte_to_the_controller(void **state)
{
	(void)state;
	check(PROXY_RESET, false);
}

static void a_connection_reset_after_any_byte_to_the_agent(void **state)
{
	(void)state;
	check(PROXY_RESET, true);
}

static void an_agent_that_goes_down_while_its_connection_stalls(void **state)
{
	(void)state;
	check(PROXY_STALL, false);
	rig_stop_hub(&rig);
	check(PROXY_STALL, true);
}

/* Each agent's first connection stalls at another byte, for good. */
static void a_connection_that_stalls_is_given_up_by_both(void **state)
{
	int port = rig_start_hub_at(&rig, 0);

	(void)state;
	make_leaves();
	for (size_t i = 0; i < AGENTS; i++)
		start_agent(i, port, PROXY_STALL, i % 2, i / 2 * (BYTES / AGENTS * 2));
	rig_until(&rig, all_harmed, 1000);
	for (size_t i = 0; i < AGENTS; i++)
		agents[i].proxy.harm = PROXY_NONE;
	assert_true(rig_until(&rig, all_connected, 45000));
	stop_agents();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_connection_cut_after_any_byte_to_the_controller),
		TEST(a_connection_cut_after_any_byte_to_the_agent),
		TEST(a_connection_reset_after_any_byte_to_the_controller),
		TEST(a_connection_reset_after_any_byte_to_the_agent),
		TEST(an_agent_that_goes_down_while_its_connection_stalls),
		TEST(a_connection_that_stalls_is_given_up_by_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
