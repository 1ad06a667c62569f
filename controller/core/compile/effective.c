/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/effective.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/plan/caps.h"

static bool narrows(const struct object *object)
{
	if (object->kind == OBJECT_POLICY)
		return policy_selects(&object->policy);
	return selector_narrows(&object->cluster.ns_selector) ||
	       selector_narrows(&object->cluster.node_selector);
}

static int by_rank(const void *pa, const void *pb)
{
	const struct object *a = ((const struct candidate *)pa)->object;
	const struct object *b = ((const struct candidate *)pb)->object;

	if (narrows(a) != narrows(b))
		return narrows(a) ? -1 : 1;
	if (a->created_s != b->created_s)
		return a->created_s < b->created_s ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void ranked_add(struct ranked *ranked, const struct object *object,
		       const struct boost_clock *clock, int64_t end_ns)
{
	GROW(ranked->item, ranked->nr);
	ranked->item[ranked->nr++] = (struct candidate){ object, clock, end_ns };
}

static void ranked_sort(struct ranked *ranked)
{
	if (ranked->nr > 1)
		qsort(ranked->item, ranked->nr, sizeof(*ranked->item), by_rank);
}

void ranked_release(struct ranked *ranked)
{
	free(ranked->item);
	*ranked = (struct ranked){ 0 };
}

static void scope_init(struct cluster_scope *scope, struct object *const *policy, size_t nr,
		       const char *const *ns_labels, const char *node_labels)
{
	*scope = (struct cluster_scope){ 0 };
	for (size_t i = 0; i < nr; i++) {
		const struct cluster_policy *cluster = &policy[i]->cluster;

		if (policy[i]->deleting || !selector_matches(&cluster->node_selector, node_labels))
			continue;
		if (ns_labels && !selector_matches(&cluster->ns_selector, *ns_labels))
			continue;
		ranked_add(&scope->limits, policy[i], NULL, INT64_MAX);
		if (ns_labels || !selector_narrows(&cluster->ns_selector))
			ranked_add(&scope->defaults, policy[i], NULL, INT64_MAX);
	}
	ranked_sort(&scope->limits);
	ranked_sort(&scope->defaults);
}

void cluster_scope_init(struct cluster_scope *scope, struct object *const *policy, size_t nr,
			const char *ns_labels, const char *node_labels)
{
	scope_init(scope, policy, nr, &ns_labels, node_labels);
}

void cluster_scope_init_node(struct cluster_scope *scope, struct object *const *policy, size_t nr,
			     const char *node_labels)
{
	scope_init(scope, policy, nr, NULL, node_labels);
}

void cluster_scope_release(struct cluster_scope *scope)
{
	ranked_release(&scope->defaults);
	ranked_release(&scope->limits);
}

static int64_t boost_end_ns(const struct boost_clock *clock, int64_t max_duration_ns)
{
	if (clock->end_ns - clock->start_ns <= max_duration_ns)
		return clock->end_ns;
	return clock->start_ns + max_duration_ns;
}

void ranked_init_policies(struct ranked *ranked, const struct share *share, int64_t max_duration_ns,
			  int64_t now_ns)
{
	*ranked = (struct ranked){ 0 };
	for (size_t i = 0; i < share->in.nr; i++) {
		const struct object *object = share->in.object[i];
		const struct boost_clock *clock = &share->clock[i];
		int64_t end_ns;

		if (object->deleting)
			continue;
		if (!policy_is_boost(&object->policy)) {
			ranked_add(ranked, object, NULL, INT64_MAX);
			continue;
		}
		end_ns = boost_end_ns(clock, max_duration_ns);
		if (clock_is_of(clock, object->generation) && clock_active(clock, now_ns) &&
		    now_ns < end_ns)
			ranked_add(ranked, object, clock, end_ns);
	}
	ranked_sort(ranked);
}

bool policy_matches(const struct policy *policy, const struct object *pod, const char *container)
{
	bool named = policy->container_nr == 0;

	for (size_t i = 0; container && i < policy->container_nr && !named; i++)
		named = strcmp(policy->container[i], container) == 0;
	return named && selector_matches(&policy->selector, pod->labels);
}

/* --- rate --- */

static void decide_rate(const struct ranked *policy, const struct ranked *defaults,
			struct effective *effective)
{
	const struct object *by = NULL;

	for (size_t i = 0; i < policy->nr; i++) {
		const struct policy *p = &policy->item[i].object->policy;

		if (p->has_rate && policy_is_boost(p) && (!by || p->rate_hz > by->policy.rate_hz))
			by = policy->item[i].object;
	}
	for (size_t i = 0; i < policy->nr && !by; i++)
		if (policy->item[i].object->policy.has_rate)
			by = policy->item[i].object;
	effective->wanted.rate_hz = by ? by->policy.rate_hz : RATE_HZ_DEFAULT;
	for (size_t i = 0; i < defaults->nr && !by; i++) {
		if (!defaults->item[i].object->cluster.has_rate)
			continue;
		by = defaults->item[i].object;
		effective->wanted.rate_hz = by->cluster.rate_hz;
	}
	effective->rate_by = by;
}

static void clamp_rate(const struct ranked *limits, struct effective *effective)
{
	const struct object *by = effective->rate_by;
	bool boosted = by && by->kind == OBJECT_POLICY && policy_is_boost(&by->policy);
	uint32_t *hz = &effective->setting.rate_hz;

	*hz = effective->wanted.rate_hz;
	for (size_t i = 0; i < limits->nr; i++) {
		const struct cluster_policy *limit = &limits->item[i].object->cluster;
		uint32_t max_hz = UINT32_MAX;

		if (limit->has_max_rate)
			max_hz = limit->max_rate_hz;
		if (limit->has_max_continuous && !boosted)
			max_hz = MIN(max_hz, limit->max_continuous_hz);
		if (*hz > max_hz) {
			*hz = max_hz;
			effective->rate_clamped_by = limits->item[i].object;
		}
	}
}

/* --- capabilities --- */

static bool gives_caps(const struct policy *policy)
{
	return (policy->add | policy->drop) != 0;
}

static const struct object *continuous_caps(const struct ranked *policy)
{
	for (size_t i = 0; i < policy->nr; i++) {
		const struct policy *p = &policy->item[i].object->policy;

		if (!policy_is_boost(p) && gives_caps(p))
			return policy->item[i].object;
	}
	return NULL;
}

/* Is what it adds and drops heard? */
static bool has_say(const struct effective *effective, const struct object *policy)
{
	return gives_caps(&policy->policy) &&
	       (policy_is_boost(&policy->policy) || effective->caps_continuous_by == policy);
}

static void inherit_caps(const struct ranked *defaults, struct effective *effective)
{
	effective->wanted.caps = CAPS_DEFAULT;
	for (size_t i = 0; i < defaults->nr; i++) {
		const struct object *object = defaults->item[i].object;

		if (!object->cluster.has_caps)
			continue;
		effective->wanted.caps = object->cluster.caps;
		if (!(object->cluster.caps & CAP_CPU_SAMPLING))
			effective->cpu_off_by = object;
		return;
	}
}

static void decide_caps(const struct ranked *policy, const struct ranked *defaults,
			struct effective *effective)
{
	uint32_t *caps = &effective->wanted.caps;

	effective->caps_continuous_by = continuous_caps(policy);
	inherit_caps(defaults, effective);
	for (size_t i = policy->nr; i-- > 0;) {
		const struct object *object = policy->item[i].object;

		if (!has_say(effective, object))
			continue;
		*caps |= object->policy.add;
		effective->dropped |= object->policy.drop;
		if (object->policy.drop & CAP_CPU_SAMPLING)
			effective->cpu_off_by = object;
	}
	*caps &= ~effective->dropped;
	if (*caps & CAP_CPU_SAMPLING)
		effective->cpu_off_by = NULL;
	else
		effective->wanted.rate_hz = 0;
}

static void clamp_caps(const struct ranked *limits, struct effective *effective)
{
	uint32_t *caps = &effective->setting.caps;

	*caps = effective->wanted.caps;
	for (size_t i = 0; i < limits->nr; i++) {
		const struct cluster_policy *limit = &limits->item[i].object->cluster;
		uint32_t lost = limit->has_allowed ? *caps & ~limit->allowed : 0;

		if (!lost)
			continue;
		*caps &= ~lost;
		effective->caps_clamped_by = limits->item[i].object;
		if (!(lost & CAP_CPU_SAMPLING))
			continue;
		effective->cpu_off_by = limits->item[i].object;
		if (effective->setting.rate_hz > 0)
			effective->rate_clamped_by = limits->item[i].object;
		effective->setting.rate_hz = 0;
	}
}

void effective(const struct ranked *policy, const struct cluster_scope *scope,
	       struct effective *ret_effective)
{
	struct effective e = { 0 };

	decide_rate(policy, &scope->defaults, &e);
	decide_caps(policy, &scope->defaults, &e);
	clamp_rate(&scope->limits, &e);
	clamp_caps(&scope->limits, &e);
	*ret_effective = e;
}

/* The policy whose drop leaves the rates of all others without effect, or NULL. */
static const struct object *silencer(const struct effective *effective)
{
	const struct object *by = effective->cpu_off_by;

	return by && by->kind == OBJECT_POLICY ? by : NULL;
}

bool effective_has_part(const struct effective *effective, const struct object *policy)
{
	const struct policy *p = &policy->policy;

	if (effective->rate_by == policy && !silencer(effective))
		return true;
	if (!has_say(effective, policy))
		return false;
	return !policy_is_boost(p) || p->drop || (p->add & ~effective->dropped);
}

const struct object *effective_winner(const struct effective *effective,
				      const struct ranked *policy, const struct object *loser)
{
	if (loser->policy.has_rate)
		return silencer(effective) ? silencer(effective) : effective->rate_by;
	for (size_t i = 0; i < policy->nr; i++) {
		const struct object *object = policy->item[i].object;

		if (has_say(effective, object) && (object->policy.drop & loser->policy.add))
			return object;
	}
	return effective->caps_continuous_by;
}

int64_t effective_max_duration(const struct ranked *limits, const struct object **ret_by)
{
	const struct object *by = NULL;

	for (size_t i = 0; i < limits->nr; i++) {
		int64_t ns = limits->item[i].object->cluster.max_duration_ns;

		if (ns && (!by || ns < by->cluster.max_duration_ns))
			by = limits->item[i].object;
	}
	if (ret_by)
		*ret_by = by;
	return by ? by->cluster.max_duration_ns : INT64_MAX;
}
