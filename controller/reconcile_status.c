/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/reconcile_priv.h"

#include <errno.h>
#include <string.h>

#include "controller/effective.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/metrics.h"

#define RETRY_FIRST_NS NSEC_PER_SEC
#define RETRY_LAST_NS (30 * NSEC_PER_SEC)
#define STATUS_SOON_MS 2	     /* after the plans are on their way */
#define STATUS_QUIET_NS NSEC_PER_SEC /* between two writes of counts of one object */
#define STATUS_REST_FACTOR 10	     /* looking takes at most a tenth of the time */

/* --- storing --- */

void reconcile_stored(struct reconcile *reconcile, int r, const struct err *err)
{
	if (r == 0 || r == -EINPROGRESS)
		return;
	if (!reconcile->not_stored.text[0])
		log_error("status cannot be stored, new boosts do not start until it can",
			  LOG_ERR(err));
	reconcile->not_stored = *err;
	reconcile->retry_wait_ns =
		MIN(MAX(2 * reconcile->retry_wait_ns, RETRY_FIRST_NS), RETRY_LAST_NS);
	reconcile->retry_ns = MIN(reconcile->retry_ns, now_boot_ns() + reconcile->retry_wait_ns);
}

static void stored_again(struct reconcile *reconcile)
{
	if (reconcile->not_stored.text[0])
		log_info("status can be stored again");
	reconcile->not_stored = (struct err)ERR_INIT;
	reconcile->retry_wait_ns = 0;
}

bool reconcile_ok(const struct reconcile *reconcile, struct err *ret_why)
{
	if (reconcile->not_stored.text[0])
		*ret_why = reconcile->not_stored;
	return !reconcile->not_stored.text[0];
}

/* --- clocks --- */

/* The strictest maxDuration on all nodes; *ret_by is whose, NULL = nobody's. */
static int64_t max_duration(const struct reconcile *reconcile, const char *ns,
			    const struct object **ret_by)
{
	const struct object *object = store_find(reconcile->store, OBJECT_NAMESPACE, "", ns);
	struct object_list list = store_cluster_policies(reconcile->store);
	struct cluster_scope scope;
	int64_t max_ns;

	cluster_scope_init(&scope, list.object, list.nr, object ? object->labels : NULL, NULL);
	*ret_by = NULL;
	max_ns = effective_max_duration(&scope.limits, ret_by);
	cluster_scope_release(&scope);
	return max_ns;
}

/* Does `stored` have every member of `wanted`? */
static bool holds(const json_t *stored, json_t *wanted)
{
	const char *key;
	json_t *value;

	json_object_foreach(wanted, key, value) if (!json_equal(json_object_get(stored, key),
								value)) return false;
	return true;
}

/* The start of a boost, before anything is known of what came of it. */
static int store_clock(struct reconcile *reconcile, const struct object *object,
		       const struct boost_clock *clock)
{
	json_auto_t *status = json_must(json_object());
	struct err err = ERR_INIT;
	int r;

	json_object_set_new(status, "observedGeneration", json_integer(clock->generation));
	clock_to_status(clock, status);
	if (holds(reconcile_stored_status(reconcile, object), status))
		return 0;
	r = reconcile->statuses.ops->put(reconcile->statuses.ctx, object, status, &err);
	reconcile_stored(reconcile, r, &err);
	return r;
}

static bool same_clock(const struct boost_clock *a, const struct boost_clock *b)
{
	return a->generation == b->generation && a->start_ns == b->start_ns &&
	       a->end_ns == b->end_ns && a->durable == b->durable;
}

static void set_clock(struct reconcile *reconcile, const struct tracked *item,
		      const struct boost_clock *clock)
{
	struct touch touch = store_set_clock(reconcile->store, item->ns, item->name, clock);

	compiler_touch(reconcile->compiler, reconcile->store, &touch);
}

static void announce(const struct tracked *item, const struct policy *policy,
		     const struct boost_clock *clock, const struct instant *now)
{
	int64_t left_ns = clock->end_ns - now->boot_ns;

	log_info(item->inherited ? "boost goes on" : "boost starts", LOG_STR("namespace", item->ns),
		 LOG_STR("name", item->name), LOG_INT("generation", item->generation),
		 LOG_INT("rate_hz", policy->has_rate ? (int64_t)policy->rate_hz : -1),
		 LOG_REAL("left_s", (double)left_ns / NSEC_PER_SEC),
		 LOG_STR("reason", policy->reason));
}

static void keep_clock(struct reconcile *reconcile, struct tracked *item,
		       const struct object *object, const struct instant *now)
{
	const struct policy *policy = &object->policy;
	struct boost_clock clock = policy->clock;
	const struct object *by;

	if (!clock_is_of(&clock, object->generation) &&
	    !clock_restore(&clock, reconcile_stored_status(reconcile, object), object->generation,
			   now))
		clock_start(&clock, object->generation, policy->duration_ns, now);
	if (clock_clamp(&clock, max_duration(reconcile, item->ns, &by)))
		clock.durable = false;
	if (!clock.durable && reconcile->retry_ns == INT64_MAX)
		clock.durable = store_clock(reconcile, object, &clock) == 0;
	if (same_clock(&clock, &policy->clock))
		return;
	set_clock(reconcile, item, &clock);
	if (!item->running && clock_active(&clock, now->boot_ns)) {
		announce(item, policy, &clock, now);
		item->running = true;
	}
}

void reconcile_clocks(struct reconcile *reconcile, const struct instant *now)
{
	size_t active = 0;

	for (size_t i = 0; i < reconcile->tracked.nr; i++) {
		struct tracked *item = &reconcile->tracked.item[i];
		const struct object *object = reconcile_object(reconcile, item);

		if (item->kind != OBJECT_POLICY || !object || !policy_is_boost(&object->policy))
			continue;
		keep_clock(reconcile, item, object, now);
		active += clock_active(&reconcile_object(reconcile, item)->policy.clock,
				       now->boot_ns);
	}
	metric_set(reconcile->active, (double)active);
}

int64_t reconcile_next_clock_end(const struct reconcile *reconcile, int64_t now_ns)
{
	int64_t next_ns = INT64_MAX;

	for (size_t i = 0; i < reconcile->tracked.nr; i++) {
		const struct tracked *item = &reconcile->tracked.item[i];
		const struct object *object = reconcile_object(reconcile, item);

		if (item->kind == OBJECT_POLICY && object &&
		    clock_active(&object->policy.clock, now_ns))
			next_ns = MIN(next_ns, object->policy.clock.end_ns);
	}
	return next_ns;
}

void reconcile_count_end(struct reconcile *reconcile, struct tracked *item, enum outcome outcome)
{
	static const char *const text[OUTCOME_NR] = {
		[OUTCOME_EXPIRED] = "its time is over",
		[OUTCOME_DELETED] = "it was deleted",
		[OUTCOME_EDITED] = "it was edited",
	};

	if (!item->running)
		return;
	item->running = false;
	metric_add(reconcile->outcome[outcome], 1);
	reconcile_note_end(reconcile, item, text[outcome]);
	log_info("boost ends", LOG_STR("namespace", item->ns), LOG_STR("name", item->name),
		 LOG_INT("generation", item->generation), LOG_STR("why", text[outcome]));
}

/* --- statuses --- */

static void count_agents_of(const struct reconcile *reconcile, const struct tracked *item,
			    struct status_agents *agents)
{
	const char *node;
	size_t pos = 0;

	while (compiler_policy_node(reconcile->compiler, item->ns, item->name, &pos, &node)) {
		struct hub_node state = { .state = HUB_ABSENT, .error = "" };

		if (reconcile->hub)
			(void)!hub_node_get(reconcile->hub, node, &state);
		status_agents_add(agents, node, state.state, state.error);
	}
}

/* Whose maxDuration shortens the boost; NULL = nobody's. */
static const char *shortened_by(const struct reconcile *reconcile, const struct object *object)
{
	const struct object *by = NULL;

	if (!policy_is_boost(&object->policy) ||
	    object->policy.duration_ns <= max_duration(reconcile, object->ns, &by))
		return NULL;
	return by ? by->name : NULL;
}

static json_t *build(const struct reconcile *reconcile, const struct tracked *item,
		     const struct object *object, const struct instant *now)
{
	struct policy_summary summary;
	struct status_agents agents = { 0 };
	struct status_input input = {
		.object = object,
		.previous = item->full ? item->full : reconcile_stored_status(reconcile, object),
		.now = *now,
	};

	if (item->kind != OBJECT_POLICY)
		return status_build(&input);
	compiler_summary(reconcile->compiler, item->ns, item->name, &summary);
	count_agents_of(reconcile, item, &agents);
	input.summary = &summary;
	input.agents = &agents;
	input.duration_clamped_by = shortened_by(reconcile, object);
	return status_build(&input);
}

/* Has any condition another status? */
static bool flips(const json_t *before, const json_t *after)
{
	const json_t *list = json_object_get(after, "conditions"), *condition;
	size_t i;

	if (!before ||
	    json_array_size(json_object_get(before, "conditions")) != json_array_size(list))
		return true;
	json_array_foreach(list, i, condition)
	{
		const char *type = json_string_value(json_object_get(condition, "type"));

		if (type && status_condition(before, type) != status_condition(after, type))
			return true;
	}
	return false;
}

/* What the new status means for the boost's course. */
static void follow(struct reconcile *reconcile, struct tracked *item, const struct object *object,
		   const json_t *status, const struct instant *now)
{
	int64_t took_ns = now->boot_ns - item->seen_ns;

	if (item->kind != OBJECT_POLICY)
		return;
	if (!item->confirmed && status_condition(status, "Programmed")) {
		item->confirmed = true;
		if (policy_is_boost(&object->policy) && !item->inherited)
			metric_observe(reconcile->apply_seconds, (double)took_ns / NSEC_PER_SEC);
		log_info("policy confirmed by all agents concerned", LOG_STR("namespace", item->ns),
			 LOG_STR("name", item->name), LOG_INT("generation", item->generation),
			 LOG_REAL("after_ms", (double)took_ns / NSEC_PER_MSEC));
	}
	if (policy_is_boost(&object->policy) && clock_expired(&object->policy.clock, now->boot_ns))
		reconcile_count_end(reconcile, item, OUTCOME_EXPIRED);
}

/* Has it a clock that is not stored yet? */
static bool starting(const struct object *object)
{
	return object->kind == OBJECT_POLICY && policy_is_boost(&object->policy) &&
	       clock_is_of(&object->policy.clock, object->generation) &&
	       !object->policy.clock.durable;
}

/* Returns when to look again, or INT64_MAX. */
static int64_t settle(struct reconcile *reconcile, struct tracked *item, const struct instant *now,
		      bool last)
{
	const struct object *object = reconcile_object(reconcile, item);
	struct err err = ERR_INIT;
	json_auto_t *status = NULL;
	int r;

	if (!object) {
		item->dirty = false;
		return INT64_MAX;
	}
	/* A status without the clock would take the place of the one that has it and is on its way. */
	if (starting(object) && !reconcile->not_stored.text[0])
		return INT64_MAX;
	status = build(reconcile, item, object, now);
	follow(reconcile, item, object, status, now);
	if (!last && !flips(item->full, status) && !status_equal(item->full, status) &&
	    now->boot_ns < item->written_ns + STATUS_QUIET_NS)
		return item->written_ns + STATUS_QUIET_NS;
	if (!last && now->boot_ns < reconcile->retry_ns && reconcile->retry_ns != INT64_MAX)
		return reconcile->retry_ns;
	item->dirty = false;
	reconcile_note_status(reconcile, object,
			      item->full ? item->full : reconcile_stored_status(reconcile, object),
			      status, now);
	r = reconcile->statuses.ops->put(reconcile->statuses.ctx, object, status, &err);
	reconcile_stored(reconcile, r, &err);
	if (r < 0 && r != -EINPROGRESS) {
		item->dirty = true;
		return reconcile->retry_ns;
	}
	stored_again(reconcile);
	if (!status_equal(item->full, status))
		item->written_ns = now->boot_ns;
	json_decref(item->full);
	item->full = TAKE_PTR(status);
	return INT64_MAX;
}

static void arm_status(struct reconcile *reconcile, int64_t at_ns)
{
	int64_t wait_ms = (at_ns - now_boot_ns() + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;

	uv_timer_start(&reconcile->status_timer, reconcile_on_status_timer,
		       (uint64_t)MAX(wait_ms, STATUS_SOON_MS), 0);
}

void reconcile_status_run(struct reconcile *reconcile, bool last)
{
	int64_t next_ns = INT64_MAX;
	struct instant now;

	reconcile_now(reconcile, &now);
	for (size_t i = 0; i < reconcile->tracked.nr; i++)
		if (reconcile->tracked.item[i].dirty)
			next_ns = MIN(next_ns,
				      settle(reconcile, &reconcile->tracked.item[i], &now, last));
	reconcile->status_rest_ns =
		now_boot_ns() + STATUS_REST_FACTOR * (now_boot_ns() - now.boot_ns);
	if (!last && next_ns != INT64_MAX)
		arm_status(reconcile, next_ns);
}

void reconcile_on_status_timer(uv_timer_t *timer)
{
	reconcile_status_run(timer->data, false);
}

void reconcile_status_all(struct reconcile *reconcile)
{
	if (reconcile->closing)
		return;
	for (size_t i = 0; i < reconcile->tracked.nr; i++)
		reconcile->tracked.item[i].dirty = true;
	arm_status(reconcile, reconcile->status_rest_ns);
}
