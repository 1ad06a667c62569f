/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONTROL_RIG_H
#define TESTS_UNIT_CONTROL_RIG_H

/* A hub and a client on one loop, joined by mutual TLS over loopback, and what a test sees of them. */

#include <string.h>
#include <time.h>

#include "agent/control/control_client.h"
#include "controller/hub/hub.h"
#include "lib/core/plan/caps.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"
#include "tests/unit/both/pki.h"

#define NODE "worker-1"

struct rig {
	uv_loop_t loop;
	struct pki pki;
	struct hub *hub;
	struct control_client *client;
	struct metrics *hub_metrics, *client_metrics;
	uint32_t ttl_ms;
	int64_t epoch_n;  /* of the hub that was started last */
	const char *cert; /* which certificate the client shows */
	const char *ca;	  /* which CA the client trusts */
	bool keep_state;
	void (*authenticate)(void *ctx, const char *token, const char *cert_name,
			     struct hub_auth *auth);  /* ctx is the rig */
	bool (*is_node)(void *ctx, const char *name); /* likewise, without authenticate() */
	const char *token_file;
	const char *server_name; /* whom the client expects */
	/* What the agent saw. */
	unsigned applied;
	int refuse; /* apply() returns this */
	bool clamp;
	struct control_missing missing; /* what the node has no room for */
	bool connected;
	unsigned sessions, losses;
	char why[160];	  /* of the last loss */
	uint32_t rate_hz; /* of class "pay", in force at the last apply() */
	size_t target_nr;
	char hash[PLAN_HASH_HEX]; /* of the plan in force */
	int closed;
	struct err err; /* of a start that failed */
};

/* Step 0 whose boosts all run, as an agent reads a class. */
static inline uint32_t rig_rate(const struct plan *plan, const char *class_id)
{
	const struct plan_class *cls = plan_find_class(plan, class_id);

	for (size_t i = 0; cls && i < cls->step_nr; i++) {
		bool runs = true;

		for (size_t j = 0; j < cls->step[i].boost_nr; j++) {
			struct plan *p = (struct plan *)plan;
			const struct plan_boost *boost = plan_find_boost(p, cls->step[i].boost[j]);

			runs = runs && boost &&
			       MIN(boost->expires_ns, boost->dead_man_ns) > now_boot_ns();
		}
		if (runs)
			return cls->step[i].rate_hz;
	}
	return 0;
}

static inline int rig_apply(void *ctx, const struct plan *plan,
			    struct control_client_result *result, struct err *err)
{
	struct rig *rig = ctx;

	if (rig->refuse)
		return err_set(err, rig->refuse, "the map is full");
	rig->applied++;
	rig->rate_hz = rig_rate(plan, "pay");
	rig->target_nr = plan->target_nr;
	plan_hash(plan, rig->hash);
	result->clamped = rig->clamp;
	result->missing = rig->missing;
	return 0;
}

static inline void rig_state(void *ctx, bool connected, const char *node, const char *why)
{
	struct rig *rig = ctx;

	(void)node;
	snprintf(rig->why, sizeof(rig->why), "%s", why);
	rig->connected = connected;
	rig->sessions += connected;
	rig->losses += !connected;
}

static inline void rig_on_closed(void *ctx)
{
	((struct rig *)ctx)->closed++;
}

static inline void rig_on_timeout(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Run the loop until `done` says so or `ms` have passed; returns what `done` says. */
static inline bool rig_until(struct rig *rig, bool (*done)(struct rig *rig), uint64_t ms)
{
	bool late = false;
	uv_timer_t timer;

	uv_timer_init(&rig->loop, &timer);
	timer.data = &late;
	uv_update_time(&rig->loop);
	uv_timer_start(&timer, rig_on_timeout, ms, 0);
	while (!late && !(done && done(rig)))
		uv_run(&rig->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&rig->loop, UV_RUN_NOWAIT);
	return done && done(rig);
}

static inline void rig_wait(struct rig *rig, uint64_t ms)
{
	rig_until(rig, NULL, ms);
}

static inline bool rig_is_closed(struct rig *rig)
{
	return rig->closed > 0;
}

static inline int rig_start_hub_at(struct rig *rig, int port)
{
	char *cert = pki_path(&rig->pki, "controller.crt");
	char *key = pki_path(&rig->pki, "controller.key");
	char *ca = pki_path(&rig->pki, "ca.crt");
	char *listen = xasprintf("127.0.0.1:%d", port);
	const struct hub_options options = { .listen = listen,
					     .cert_file = cert,
					     .key_file = key,
					     .ca_file = ca,
					     .epoch = { 1000, ++rig->epoch_n },
					     .ttl_ms = rig->ttl_ms,
					     .authenticate = rig->authenticate,
					     .is_node = rig->is_node,
					     .auth_ctx = rig,
					     .metrics = rig->hub_metrics };
	const struct hub_events events = { 0 };
	int r = hub_new(&rig->loop, &options, &events, NULL, &rig->hub, &rig->err);

	free(cert);
	free(key);
	free(ca);
	free(listen);
	return r < 0 ? r : hub_port(rig->hub);
}

static inline void rig_stop_hub(struct rig *rig)
{
	rig->closed = 0;
	hub_close(rig->hub, rig_on_closed, rig);
	rig_until(rig, rig_is_closed, 10000);
	hub_free(rig->hub);
	rig->hub = NULL;
}

static inline int rig_start_client(struct rig *rig, int port)
{
	char *crt_name = xasprintf("%s.crt", rig->cert), *key_name = xasprintf("%s.key", rig->cert);
	char *cert = pki_path(&rig->pki, crt_name);
	char *key = pki_path(&rig->pki, key_name);
	char *ca = pki_path(&rig->pki, rig->ca);
	char *state = pki_path(&rig->pki, "agent-state");
	char *controller = xasprintf("127.0.0.1:%d", port);
	const struct control_client_options options = { .controller = controller,
							.server_name = rig->server_name,
							.cert_file = cert,
							.key_file = key,
							.ca_file = ca,
							.token_file = rig->token_file,
							.state_dir = rig->keep_state ? state : NULL,
							.max_rate_hz = 200,
							.metrics = rig->client_metrics };
	const struct control_client_events events = { .apply = rig_apply, .state = rig_state };
	int r = control_client_new(&rig->loop, &options, &events, rig, &rig->client, &rig->err);

	free(crt_name);
	free(key_name);
	free(cert);
	free(key);
	free(ca);
	free(state);
	free(controller);
	return r;
}

static inline void rig_stop_client(struct rig *rig)
{
	rig->closed = 0;
	rig->connected = false;
	control_client_close(rig->client, rig_on_closed, rig);
	rig_until(rig, rig_is_closed, 10000);
	control_client_free(rig->client);
	rig->client = NULL;
}

static inline void rig_init(struct rig *rig)
{
	*rig = (struct rig){
		.ttl_ms = 90000, .server_name = "controller.test", .cert = "agent", .ca = "ca.crt"
	};
	log_setup(getenv("RIG_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	uv_loop_init(&rig->loop);
	pki_init(&rig->pki);
	pki_leaf(&rig->pki, "controller", "controller.test", "DNS:controller.test,IP:127.0.0.1");
	pki_leaf(&rig->pki, "agent", NODE, NULL);
	rig->hub_metrics = metrics_new();
	rig->client_metrics = metrics_new();
}

static inline void rig_release(struct rig *rig)
{
	if (rig->client)
		rig_stop_client(rig);
	if (rig->hub)
		rig_stop_hub(rig);
	uv_run(&rig->loop, UV_RUN_DEFAULT);
	assert(uv_loop_close(&rig->loop) == 0);
	metrics_free(rig->hub_metrics);
	metrics_free(rig->client_metrics);
	pki_release(&rig->pki);
}

/* --- plans --- */

static inline void rig_add_class(struct plan *plan, const char *id, uint32_t hz)
{
	struct plan_class cls = { .id = xstrdup(id), .step_nr = 1 };

	cls.step = xcalloc(1, sizeof(*cls.step));
	cls.step[0] = (struct plan_step){ .rate_hz = hz, .caps = CAPS_DEFAULT };
	plan->cls = xrealloc(plan->cls, plan->cls_nr + 1, sizeof(*plan->cls));
	plan->cls[plan->cls_nr++] = cls;
}

/* Class "pay" at `hz` with `pods` pods in it. */
static inline struct plan rig_plan(uint32_t hz, size_t pods)
{
	struct plan plan = { 0 };

	rig_add_class(&plan, "", 19);
	rig_add_class(&plan, "pay", hz);
	for (size_t i = 0; i < pods; i++) {
		struct plan_target target = { 0 };

		target.uid = xasprintf("11111111-2222-3333-4444-%012zu", i);
		target.ns = xstrdup("pay");
		target.pod = xasprintf("pod-%zu", i);
		target.class_id = xstrdup("pay");
		GROW(plan.target, plan.target_nr);
		plan.target[plan.target_nr++] = target;
	}
	plan_normalize(&plan);
	return plan;
}

/* The same with a boost to `boost_hz` for `ms`. */
static inline struct plan rig_boosted(uint32_t hz, uint32_t boost_hz, int64_t ms)
{
	struct plan plan = rig_plan(hz, 1);
	struct plan_class *cls = &plan.cls[1];
	struct plan_step base = cls->step[0];

	cls->step = xrealloc(cls->step, 2, sizeof(*cls->step));
	cls->step[0] = (struct plan_step){ .rate_hz = boost_hz, .caps = CAPS_DEFAULT };
	cls->step[0].boost = xcalloc(1, sizeof(char *));
	cls->step[0].boost[0] = xstrdup("pay/inc@1.1");
	cls->step[0].boost_nr = 1;
	cls->step[1] = base;
	cls->step_nr = 2;
	plan.boost = xcalloc(1, sizeof(*plan.boost));
	plan.boost[0].id = xstrdup("pay/inc@1.1");
	plan.boost[0].expires_ns = now_boot_ns() + ms * NSEC_PER_MSEC;
	plan.boost_nr = 1;
	return plan;
}

static inline void rig_want(struct rig *rig, struct plan plan)
{
	hub_set_plan(rig->hub, NODE, &plan, HUB_LANE_NOW);
}

static inline enum hub_state rig_node_state(struct rig *rig)
{
	struct hub_node node;

	return hub_node_get(rig->hub, NODE, &node) ? node.state : HUB_ABSENT;
}

static inline bool rig_is_applied(struct rig *rig)
{
	return rig_node_state(rig) == HUB_APPLIED;
}

static inline bool rig_is_failed(struct rig *rig)
{
	return rig_node_state(rig) == HUB_FAILED;
}

static inline bool rig_is_connected(struct rig *rig)
{
	return rig->connected;
}

#endif
