/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/reconcile/reconcile_priv.h"

#include "controller/core/compile/duration_limit.h"
#include "lib/core/text/json.h"
#include "lib/log.h"
#include "lib/observe/metrics.h"

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
static int put_clock(struct reconcile *reconcile, const struct object *object,
		     const struct boost_clock *clock)
{
	json_auto_t *status = json_must(json_object());
	struct err err = ERR_INIT;
	int r;

	json_object_set_new(status, "observedGeneration", json_integer(clock->generation));
	clock_to_status(clock, status);
	if (holds(reconcile_stored_status(reconcile, object), status))
		return 0;
	r = reconcile->statuses.ops->put(reconcile->statuses.ctx, object, status, true, &err);
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

/* The stored status, if it tells of a run of the generation it has seen. */
static const json_t *run_status(const struct reconcile *reconcile, const struct object *object)
{
	const json_t *status = reconcile_stored_status(reconcile, object);

	return status_is_refusal(status) ? NULL : status;
}

/* A boost beyond the share of its namespace begins when there is room. */
static bool is_in_share(const struct reconcile *reconcile, const struct object *object,
			const struct instant *now)
{
	const struct share *share = store_share(reconcile->store, object->ns, now->boot_ns);

	return share_look_up(share, object) == SHARE_IN;
}

/* `begin`: a boost that has no clock may get one. */
static void keep_clock(struct reconcile *reconcile, struct tracked *item,
		       const struct object *object, const struct instant *now, bool begin)
{
	const struct policy *policy = &object->policy;
	struct boost_clock before = *reconcile_clock(reconcile, object), clock = before;
	struct duration_limits limits;

	if (!begin && clock_is_of(&clock, object->generation))
		return;
	if (!clock_is_of(&clock, object->generation) &&
	    !clock_restore(&clock, run_status(reconcile, object), object->generation,
			   policy->duration_ns, now)) {
		if (!begin || !is_in_share(reconcile, object, now))
			return;
		clock_start(&clock, object->generation, policy->duration_ns, now);
	}
	/* A longer one that is stored need not be stored again: a restart would clamp it to the same. */
	duration_limits_of(reconcile->store, item->ns, &limits);
	clock_clamp(&clock, limits.all.ns);
	/* Of a generation that is not the newest nothing comes back after a restart. */
	if (item->refused)
		clock.durable = true;
	if (!clock.durable && reconcile->retry_ns == INT64_MAX)
		clock.durable = put_clock(reconcile, object, &clock) == 0;
	if (same_clock(&clock, &before))
		return;
	set_clock(reconcile, item, &clock);
	if (!item->running && clock_active(&clock, now->boot_ns)) {
		announce(item, policy, &clock, now);
		item->running = true;
	}
}

bool reconcile_is_starting(const struct reconcile *reconcile, const struct object *object)
{
	const struct boost_clock *clock;

	if (object->kind != OBJECT_POLICY || !policy_is_boost(&object->policy))
		return false;
	clock = reconcile_clock(reconcile, object);
	return clock_is_of(clock, object->generation) && !clock->durable;
}

static size_t keep_clocks(struct reconcile *reconcile, const struct instant *now, bool begin)
{
	size_t active = 0;

	for (size_t i = 0; i < reconcile->tracked.nr; i++) {
		struct tracked *item = &reconcile->tracked.item[i];
		const struct object *object = reconcile_object(reconcile, item);

		if (item->kind != OBJECT_POLICY || !object || !policy_is_boost(&object->policy) ||
		    object->deleting)
			continue;
		keep_clock(reconcile, item, object, now, begin);
		active += clock_active(reconcile_clock(reconcile, object), now->boot_ns);
	}
	return active;
}

/* First those that are known: who is in a share depends on which have ended. */
void reconcile_clocks(struct reconcile *reconcile, const struct instant *now)
{
	keep_clocks(reconcile, now, false);
	metric_set(reconcile->active, (double)keep_clocks(reconcile, now, true));
}

int64_t reconcile_next_clock_end(const struct reconcile *reconcile, int64_t now_ns)
{
	int64_t next_ns = INT64_MAX;

	for (size_t i = 0; i < reconcile->tracked.nr; i++) {
		const struct tracked *item = &reconcile->tracked.item[i];
		const struct boost_clock *clock;

		if (item->kind != OBJECT_POLICY)
			continue;
		clock = store_clock(reconcile->store, item->ns, item->name);
		if (clock_active(clock, now_ns))
			next_ns = MIN(next_ns, clock->end_ns);
	}
	return next_ns;
}
