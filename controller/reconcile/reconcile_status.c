/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/reconcile/reconcile_priv.h"

#include <errno.h>
#include <string.h>

#include "controller/core/status/status_grace.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#define RETRY_FIRST_NS NSEC_PER_SEC
#define RETRY_LAST_NS (30 * NSEC_PER_SEC)
#define STATUS_SOON_MS 2		     /* after the plans are on their way */
#define STATUS_QUIET_NS NSEC_PER_SEC	     /* between two writes of counts of one object */
#define STATUS_BUDGET_NS (5 * NSEC_PER_MSEC) /* of one turn of the loop */
#define STATUS_REST_FACTOR 2		     /* looking takes at most a third of the time */

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

/* --- ends --- */

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
	reconcile_note_end(reconcile, item, outcome);
	log_info("boost ends", LOG_STR("namespace", item->ns), LOG_STR("name", item->name),
		 LOG_INT("generation", item->generation), LOG_STR("why", text[outcome]));
}

/* --- statuses --- */

static void count_agents_of(const struct reconcile *reconcile, const struct tracked *item,
			    bool boost, struct status_agents *agents)
{
	struct policy_node at;
	size_t pos = 0;

	while (compiler_policy_node(reconcile->compiler, item->ns, item->name, &pos, &at)) {
		struct hub_node state = reconcile_node(reconcile, at.node);

		/* What it has yet to confirm is of other namespaces. */
		if (state.state == HUB_PENDING && state.applied_seq >= at.seq)
			state.state = HUB_APPLIED;
		status_agents_add(agents, at.node, state.state, state.error);
		if (at.left_out || (boost && at.without_boosts))
			status_agents_left_out(agents, at.node);
		if (state.state != HUB_APPLIED)
			continue;
		if (control_missing_has(state.missing, item->ns))
			status_agents_incomplete(agents, at.node);
		if (state.clamped)
			status_agents_ceiling(agents, at.node, state.max_rate_hz);
	}
}

/* Whom the status is of: the newest generation, refused or not; NULL = nobody. */
static const struct object *subject_of(const struct reconcile *reconcile,
				       const struct tracked *item)
{
	return item->refused ? item->refused->object : reconcile_object(reconcile, item);
}

static const json_t *last_status(const struct reconcile *reconcile, const struct tracked *item)
{
	return item->full ? item->full
			  : reconcile_stored_status(reconcile, subject_of(reconcile, item));
}

static json_t *build_from(const struct tracked *item, const struct status_input *input)
{
	if (item->refused)
		return status_build_refused(item->refused->object->generation, item->refused->why,
					    input);
	return status_build(input);
}

/* `object` is what is in force; NULL = nothing. */
static json_t *build(const struct reconcile *reconcile, const struct tracked *item,
		     const struct object *object, const struct instant *now)
{
	struct policy_summary summary;
	struct status_agents agents = { 0 };
	struct duration_limits limits;
	struct status_input input = {
		.object = object,
		.clock = object ? reconcile_clock(reconcile, object) : NULL,
		.previous = last_status(reconcile, item),
		.now = *now,
	};

	if (item->kind != OBJECT_POLICY || !object)
		return build_from(item, &input);
	compiler_summary(reconcile->compiler, item->ns, item->name, &summary);
	count_agents_of(reconcile, item, policy_is_boost(&object->policy), &agents);
	input.share = share_look_up(store_share(reconcile->store, item->ns, now->boot_ns), object);
	input.summary = &summary;
	input.agents = &agents;
	duration_limits_of(reconcile->store, item->ns, &limits);
	input.limits = &limits;
	return build_from(item, &input);
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
	if (clock_expired(reconcile_clock(reconcile, object), now->boot_ns))
		reconcile_count_end(reconcile, item, OUTCOME_EXPIRED);
}

static void note(const struct reconcile *reconcile, const struct tracked *item,
		 const struct object *object, const json_t *status, const struct instant *now)
{
	const json_t *before = last_status(reconcile, item);

	if (object)
		reconcile_note_status(
			reconcile, object, before, status,
			clock_active(reconcile_clock(reconcile, object), now->boot_ns));
	if (item->refused)
		reconcile_note_refused(reconcile, item->refused->object, before, status);
}

/* Store it.  Returns when to look again, or INT64_MAX. */
static int64_t write_status(struct reconcile *reconcile, struct tracked *item, json_t *status,
			    const struct instant *now)
{
	const struct object *object = reconcile_object(reconcile, item);
	bool urgent = object && reconcile_is_starting(reconcile, object);
	struct err err = ERR_INIT;
	int r = reconcile->statuses.ops->put(reconcile->statuses.ctx, subject_of(reconcile, item),
					     status, urgent, &err);

	reconcile_stored(reconcile, r, &err);
	if (r < 0 && r != -EINPROGRESS) {
		item->dirty = true;
		return reconcile->retry_ns;
	}
	stored_again(reconcile);
	if (!status_equal(item->full, status))
		item->written_ns = now->boot_ns;
	json_decref(item->full);
	item->full = json_incref(status);
	return INT64_MAX;
}

/* Until when it is too early to say this; 0 = it is not. */
static int64_t early_until(struct reconcile *reconcile, struct tracked *item, const json_t *status,
			   const struct instant *now)
{
	if (!reconcile->grace_ns)
		reconcile->grace_ns = now->boot_ns + STATUS_GRACE_NS;
	return status_early_until(last_status(reconcile, item), status, reconcile->grace_ns,
				  now->boot_ns, &item->behind_ns);
}

/* Returns when to look again, or INT64_MAX. */
static int64_t settle(struct reconcile *reconcile, struct tracked *item, const struct instant *now,
		      bool last)
{
	const struct object *object = reconcile_object(reconcile, item);
	json_auto_t *status = NULL;
	int64_t early_ns;

	if (!subject_of(reconcile, item)) {
		item->dirty = false;
		return INT64_MAX;
	}
	/* A status without the clock would take the place of the one that has it and is on its way. */
	if (object && reconcile_is_starting(reconcile, object) && !reconcile->not_stored.text[0])
		return INT64_MAX;
	status = build(reconcile, item, object, now);
	early_ns = early_until(reconcile, item, status, now);
	if (early_ns)
		return early_ns;
	if (object)
		follow(reconcile, item, object, status, now);
	if (!last && !status_flips(item->full, status) && !status_equal(item->full, status) &&
	    now->boot_ns < item->written_ns + STATUS_QUIET_NS)
		return item->written_ns + STATUS_QUIET_NS;
	if (!last && now->boot_ns < reconcile->retry_ns && reconcile->retry_ns != INT64_MAX)
		return reconcile->retry_ns;
	item->dirty = false;
	note(reconcile, item, object, status, now);
	return write_status(reconcile, item, status, now);
}

/* Then at the latest. */
static void arm_status(struct reconcile *reconcile, int64_t at_ns)
{
	int64_t wait_ms = (at_ns - now_boot_ns() + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	uint64_t due_ms = (uint64_t)MAX(wait_ms, STATUS_SOON_MS);

	if (!uv_is_active((uv_handle_t *)&reconcile->status_timer) ||
	    uv_timer_get_due_in(&reconcile->status_timer) > due_ms)
		uv_timer_start(&reconcile->status_timer, reconcile_on_status_timer, due_ms, 0);
}

/* Returns when to look again, or INT64_MAX. */
static int64_t look_at(struct reconcile *reconcile, struct tracked *item, const struct instant *now,
		       bool last)
{
	int64_t next_ns;

	/* Nothing has happened to it since: it would be built for nothing. */
	if (!last && now->boot_ns < item->look_ns)
		return item->look_ns;
	next_ns = settle(reconcile, item, now, last);
	item->look_ns = item->dirty && next_ns != INT64_MAX ? next_ns : 0;
	return next_ns;
}

/* Look at what is dirty of a lane, from where the last look ended, until then.  Returns true when there is more. */
static bool look_through(struct reconcile *reconcile, enum look_lane lane,
			 const struct instant *now, int64_t until_ns, int64_t *next_ns)
{
	size_t nr = reconcile->tracked.nr;

	for (size_t n = 0; n < nr; n++) {
		struct tracked *item =
			&reconcile->tracked.item[reconcile->status_next[lane]++ % nr];
		int64_t due_ns;

		if (!item->dirty || item->confirmed != (lane == LOOK_CONFIRMED))
			continue;
		due_ns = look_at(reconcile, item, now, until_ns == INT64_MAX);
		*next_ns = MIN(*next_ns, due_ns);
		if (now_boot_ns() > until_ns)
			return true;
	}
	return false;
}

/* What waits for its first Confirmed goes before what others' counts change, and takes half of the time at most.
 * Returns true when there is more. */
static bool look(struct reconcile *reconcile, const struct instant *now, bool last,
		 int64_t *ret_next_ns)
{
	int64_t half_ns = last ? INT64_MAX : now->boot_ns + STATUS_BUDGET_NS / 2;
	int64_t all_ns = last ? INT64_MAX : now->boot_ns + STATUS_BUDGET_NS;
	bool more;

	*ret_next_ns = INT64_MAX;
	more = look_through(reconcile, LOOK_WAITING, now, half_ns, ret_next_ns);
	return look_through(reconcile, LOOK_CONFIRMED, now, all_ns, ret_next_ns) || more;
}

void reconcile_status_run(struct reconcile *reconcile, bool last)
{
	struct instant now;
	int64_t next_ns;
	bool more;

	reconcile_now(reconcile, &now);
	more = look(reconcile, &now, last, &next_ns);
	reconcile->status_rest_ns =
		now_boot_ns() + STATUS_REST_FACTOR * (now_boot_ns() - now.boot_ns);
	if (more)
		next_ns = reconcile->status_rest_ns;
	if (!last && next_ns != INT64_MAX)
		arm_status(reconcile, next_ns);
}

void reconcile_on_status_timer(uv_timer_t *timer)
{
	reconcile_status_run(timer->data, false);
}

static void touch(struct tracked *item)
{
	item->dirty = true;
	item->look_ns = 0;
}

void reconcile_status_all(struct reconcile *reconcile)
{
	if (reconcile->closing)
		return;
	for (size_t i = 0; i < reconcile->tracked.nr; i++)
		touch(&reconcile->tracked.item[i]);
	arm_status(reconcile, reconcile->status_rest_ns);
}

void reconcile_status_of(struct reconcile *reconcile, const char *ns, const char *name)
{
	struct tracked *item = tracked_find(&reconcile->tracked, OBJECT_POLICY, ns, name);

	if (!item || reconcile->closing)
		return;
	touch(item);
	arm_status(reconcile, reconcile->status_rest_ns);
}
