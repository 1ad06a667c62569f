/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/reconcile/reconcile.h"

#include <string.h>

#include "controller/reconcile/reconcile_priv.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#define COMPILE_BUDGET_NS (5 * NSEC_PER_MSEC) /* of one turn of the loop */
#define END_CHECK_NS                                                                               \
	NSEC_PER_SEC /* libuv's timers stand still while the machine sleeps; ends do not */

void reconcile_now(const struct reconcile *reconcile, struct instant *ret_now)
{
	ret_now->boot_ns = now_boot_ns();
	ret_now->wall_s = now_wall_ns() / NSEC_PER_SEC;
	memcpy(ret_now->boot_id, reconcile->boot_id, sizeof(ret_now->boot_id));
}

const struct object *reconcile_object(const struct reconcile *reconcile, const struct tracked *item)
{
	return store_find(reconcile->store, item->kind, item->ns, item->name);
}

const struct boost_clock *reconcile_clock(const struct reconcile *reconcile,
					  const struct object *object)
{
	return store_clock(reconcile->store, object->ns, object->name);
}

const struct store *reconcile_store(const struct reconcile *reconcile)
{
	return reconcile->store;
}

const json_t *reconcile_stored_status(const struct reconcile *reconcile,
				      const struct object *object)
{
	return reconcile->statuses.ops->get(reconcile->statuses.ctx, object);
}

/* --- what the agents say --- */

void reconcile_node_changed(void *ctx, const char *node)
{
	struct reconcile *reconcile = ctx;
	size_t part = 0, pos = 0;
	struct policy_key policy;

	if (reconcile->closing)
		return;
	while (compiler_node_policy(reconcile->compiler, node, &part, &pos, &policy))
		reconcile_status_of(reconcile, policy.ns, policy.policy);
}

struct hub_node reconcile_node(const struct reconcile *reconcile, const char *node)
{
	const struct plan_sink *plans = &reconcile->plans;
	struct hub_node state = { .state = HUB_ABSENT, .error = "" };

	if (!plans->node_get || !plans->node_get(plans->ctx, node, &state))
		state = (struct hub_node){ .node = node, .state = HUB_ABSENT, .error = "" };
	return state;
}

/* --- a run --- */

static void want(struct reconcile *reconcile, const char *node, struct compile_result *result)
{
	const struct plan_sink *plans = &reconcile->plans;
	struct hub_node state;

	plans->set_plan(plans->ctx, node, &result->plan, result->lane);
	if (plans->node_get(plans->ctx, node, &state))
		compiler_sent(reconcile->compiler, node, state.wanted_seq);
}

/* A node that is no more gets the plan of one without pods: its agent ends the boosts it has. */
static void compile_one(struct reconcile *reconcile, const char *dirty, int64_t now_ns)
{
	struct compile_result result;
	cleanup(freep) char *node = xstrdup(dirty);

	compiler_compile(reconcile->compiler, reconcile->store, node, now_ns, &result);
	if (result.left_out)
		log_warn("node has more pods or containers than a plan holds, the rest gets the "
			 "default",
			 LOG_STR("node", node), LOG_UINT("left_out", result.left_out));
	if (reconcile->plans.set_plan)
		want(reconcile, node, &result);
	plan_release(&result.plan);
	if (store_has_node(reconcile->store, node))
		return;
	if (reconcile->plans.drop_node)
		reconcile->plans.drop_node(reconcile->plans.ctx, node);
	compiler_forget(reconcile->compiler, node);
}

/* Returns true when there is more to compile. */
static bool compile(struct reconcile *reconcile, const struct instant *now)
{
	int64_t spent_ns = 0;
	const char *node;
	size_t nr = 0;

	compiler_advance(reconcile->compiler, now->boot_ns);
	while (spent_ns < COMPILE_BUDGET_NS &&
	       (node = compiler_next_dirty(reconcile->compiler)) != NULL) {
		compile_one(reconcile, node, now->boot_ns);
		spent_ns = now_boot_ns() - now->boot_ns;
		nr++;
	}
	if (nr)
		metric_observe(reconcile->compile_seconds,
			       (double)(now_boot_ns() - now->boot_ns) / NSEC_PER_SEC);
	return compiler_next_dirty(reconcile->compiler) != NULL;
}

static void run(struct reconcile *reconcile, bool clocks);

/* What a run has left to compile is not a new one: clocks are looked at when it is done. */
static void on_run_timer(uv_timer_t *timer)
{
	struct reconcile *reconcile = timer->data;

	run(reconcile, !reconcile->compiling);
	reconcile_status_all(reconcile);
}

static void on_stored_timer(uv_timer_t *timer)
{
	struct reconcile *reconcile = timer->data;

	reconcile_run(reconcile);
	reconcile_status_all(reconcile);
}

void reconcile_stored_later(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	struct reconcile *reconcile = ctx;
	const struct object *object = store_find(reconcile->store, kind, ns, name);

	/* Thousands may be stored in one turn of the loop; one run does for all. */
	if (!reconcile->closing && object && reconcile_is_starting(reconcile, object))
		uv_timer_start(&reconcile->run_timer, on_stored_timer, 0, 0);
}

static void rearm(struct reconcile *reconcile, const struct instant *now, bool more)
{
	int64_t next_ns = reconcile->retry_ns;
	int64_t end_ns, wait_ms;

	if (more) {
		uv_timer_start(&reconcile->run_timer, on_run_timer, 1, 0);
		return;
	}
	end_ns = MIN(compiler_next_end(reconcile->compiler),
		     reconcile_next_clock_end(reconcile, now->boot_ns));
	if (end_ns != INT64_MAX)
		next_ns = MIN(next_ns, MIN(end_ns, now->boot_ns + END_CHECK_NS));
	if (next_ns == INT64_MAX) {
		uv_timer_stop(&reconcile->run_timer);
		return;
	}
	wait_ms = (next_ns - now_boot_ns() + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	/* At least 1: a timer of 0 fires in the same turn of the loop again, before anybody else's. */
	uv_timer_start(&reconcile->run_timer, on_run_timer, (uint64_t)MAX(wait_ms, 1), 0);
}

static void count_policies(struct reconcile *reconcile)
{
	size_t good[POLICY_KIND_NR] = { 0 }, refused[POLICY_KIND_NR] = { 0 };

	for (size_t i = 0; i < reconcile->tracked.nr; i++) {
		const struct tracked *item = &reconcile->tracked.item[i];

		good[item->kind] += item->generation != 0;
		refused[item->kind] += item->refused != NULL;
	}
	for (size_t i = 0; i < POLICY_KIND_NR; i++) {
		metric_set(reconcile->policies[i], (double)good[i]);
		metric_set(reconcile->refused[i], (double)refused[i]);
	}
}

static void run(struct reconcile *reconcile, bool clocks)
{
	struct instant now;

	if (reconcile->closing)
		return;
	reconcile_now(reconcile, &now);
	if (reconcile->retry_ns <= now.boot_ns)
		reconcile->retry_ns = INT64_MAX;
	if (clocks)
		reconcile_clocks(reconcile, &now);
	reconcile->compiling = compile(reconcile, &now);
	count_policies(reconcile);
	rearm(reconcile, &now, reconcile->compiling);
}

void reconcile_run(struct reconcile *reconcile)
{
	run(reconcile, true);
}

/* --- life --- */

static void read_boot_id(struct reconcile *reconcile)
{
	cleanup(freep) char *text = NULL;
	struct err err = ERR_INIT;
	size_t len = 0;

	if (fs_read_file("/proc/sys/kernel/random/boot_id", BOOT_ID_MAX, &text, &len, &err) < 0) {
		log_warn("no boot id, after a restart boosts go by the wall clock", LOG_ERR(&err));
		return;
	}
	len = strcspn(text, "\n");
	memcpy(reconcile->boot_id, text, MIN(len, BOOT_ID_MAX - 1));
}

static void count_agents(void *ctx)
{
	static const char *const state[] = { "absent", "pending", "applied", "failed" };
	struct reconcile *reconcile = ctx;
	size_t nr[ARRAY_SIZE(state)] = { 0 };

	for (size_t i = 0; i < store_node_nr(reconcile->store); i++)
		nr[reconcile_node(reconcile, store_node_name(reconcile->store, i)).state]++;
	for (size_t i = 0; i < ARRAY_SIZE(state); i++)
		metric_set(metrics_gauge(reconcile->metrics, "rubato_controller_agents",
					 "Nodes by what their agent does with the plan of now.",
					 METRIC_LABELS("state", state[i])),
			   (double)nr[i]);
}

static void set_left_out(struct reconcile *reconcile, const char *reason, size_t nr)
{
	metric_set(metrics_gauge(reconcile->metrics, "rubato_controller_pods_left_out",
				 "Running pods of which something is in no plan, by what.",
				 METRIC_LABELS("reason", reason)),
		   (double)nr);
}

static void count_left_out(void *ctx)
{
	struct reconcile *reconcile = ctx;
	struct left_out left_out;

	compiler_left_out(reconcile->compiler, &left_out);
	for (size_t i = 0; i < POD_LOST_NR; i++)
		set_left_out(reconcile, pod_lost_name((enum pod_lost)i), left_out.lost[i]);
	set_left_out(reconcile, "room", left_out.no_room);
}

static void on_scrape(void *ctx)
{
	count_agents(ctx);
	count_left_out(ctx);
}

static void make_metrics(struct reconcile *reconcile, struct metrics *m)
{
	static const double seconds[] = { .001, .0025, .005, .01, .025, .05, .1,
					  .25,	.5,    1,    2.5, 5,	10 };
	static const char *const outcome[OUTCOME_NR] = { "expired", "deleted", "edited" };

	reconcile->metrics = m;
	reconcile->compile_seconds = metrics_histogram(
		m, "rubato_controller_compile_seconds", "Time to compile what one change touched.",
		METRIC_NO_LABELS, seconds, ARRAY_SIZE(seconds));
	reconcile->apply_seconds = metrics_histogram(
		m, "rubato_controller_boost_apply_seconds",
		"From seeing a boost to the confirmation of the last agent concerned.",
		METRIC_NO_LABELS, seconds, ARRAY_SIZE(seconds));
	reconcile->active = metrics_gauge(m, "rubato_controller_boosts_active",
					  "Boosts that are running.", METRIC_NO_LABELS);
	for (size_t i = 0; i < POLICY_KIND_NR; i++) {
		const char *kind = object_kind_name((enum object_kind)i);

		reconcile->policies[i] =
			metrics_gauge(m, "rubato_controller_policies", "Policies, by kind.",
				      METRIC_LABELS("kind", kind));
		reconcile->refused[i] =
			metrics_gauge(m, "rubato_controller_policies_refused",
				      "Policies whose newest generation cannot be used, by kind.",
				      METRIC_LABELS("kind", kind));
	}
	for (size_t i = 0; i < OUTCOME_NR; i++)
		reconcile->outcome[i] = metrics_counter(m, "rubato_controller_boosts_total",
							"Boosts that are over, by how they ended.",
							METRIC_LABELS("outcome", outcome[i]));
	if (m)
		metrics_on_scrape(m, on_scrape, reconcile);
}

struct reconcile *reconcile_new(struct uv_loop_s *loop, const struct compile_options *options,
				const struct status_store *statuses, struct metrics *metrics)
{
	struct reconcile *reconcile = xcalloc(1, sizeof(*reconcile));

	reconcile->store = store_new();
	reconcile->compiler = compiler_new(options);
	reconcile->statuses = *statuses;
	reconcile->retry_ns = INT64_MAX;
	read_boot_id(reconcile);
	make_metrics(reconcile, metrics);
	uv_timer_init(loop, &reconcile->run_timer);
	uv_timer_init(loop, &reconcile->status_timer);
	reconcile->run_timer.data = reconcile->status_timer.data = reconcile;
	reconcile->open_handles = 2;
	return reconcile;
}

void reconcile_set_plan_sink(struct reconcile *reconcile, const struct plan_sink *sink)
{
	reconcile->plans = *sink;
}

static void on_closed(uv_handle_t *handle)
{
	struct reconcile *reconcile = handle->data;

	if (--reconcile->open_handles)
		return;
	compiler_free(reconcile->compiler);
	store_free(reconcile->store);
	tracked_table_release(&reconcile->tracked);
	free(reconcile);
}

void reconcile_close(struct reconcile *reconcile)
{
	if (!reconcile || reconcile->closing)
		return;
	reconcile_status_run(reconcile, true);
	reconcile->closing = true;
	uv_close((uv_handle_t *)&reconcile->run_timer, on_closed);
	uv_close((uv_handle_t *)&reconcile->status_timer, on_closed);
}
