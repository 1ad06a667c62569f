/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/compile_part.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/object/cid.h"
#include "lib/core/limits.h"
#include "lib/core/plan/caps.h"
#include "lib/core/plan/plan_check.h"
#include "lib/core/sorted.h"
#include "lib/core/text/encode.h"

/* What a class came to; index as in plan.cls. */
struct outcome {
	struct effective effective;
	struct ranked matching; /* policies in force, in rank */
};

/* What is at hand while a part is made. */
struct maker {
	struct part *part;
	const struct compile_options *options;
	const char *ns;
	struct cluster_scope scope;
	struct object_list policies; /* of the namespace, all */
	struct ranked in_force;
	bool by_container; /* some policy in force is for containers */
	struct outcome *outcome;
	size_t outcome_nr;
};

/* --- classes --- */

static void match(const struct maker *maker, const struct object *pod, const char *container,
		  struct ranked *ret_matching)
{
	*ret_matching = (struct ranked){ 0 };
	for (size_t i = 0; i < maker->in_force.nr; i++) {
		const struct candidate *item = &maker->in_force.item[i];

		if (!policy_matches(&item->object->policy, pod, container))
			continue;
		GROW(ret_matching->item, ret_matching->nr);
		ret_matching->item[ret_matching->nr++] = *item;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "NS", or "NS/HASH" of the names of those that select, whatever their rank. */
static char *class_id(const char *ns, const struct ranked *matching)
{
	cleanup(freep) const char **name = xmalloc(matching->nr * sizeof(*name));
	cleanup(freep) char *text = NULL;
	unsigned char hash[SHA256_DIGEST_LENGTH];
	char hex[2 * 8 + 1];
	size_t nr = 0;
	char *end;

	for (size_t i = 0; i < matching->nr; i++)
		if (policy_selects(&matching->item[i].object->policy))
			name[nr++] = matching->item[i].object->name;
	if (nr == 0)
		return xstrdup(ns);
	qsort(name, nr, sizeof(*name), by_name);
	end = text = xmalloc(nr * (LIMIT_NAME_BYTES + 1));
	for (size_t i = 0; i < nr; i++)
		end = stpcpy(end, name[i]) + 1;
	SHA256((const unsigned char *)text, (size_t)(end - text), hash);
	hex_encode(hash, 8, hex);
	return xasprintf("%s/%s", ns, hex);
}

/* The index of the class of a container (NULL: of the pod as a whole). */
static size_t get_class(struct maker *maker, const struct object *pod, const char *container)
{
	struct plan *plan = &maker->part->plan;
	cleanup(ranked_release) struct ranked matching;
	cleanup(freep) char *id = NULL;
	struct outcome *outcome;

	match(maker, pod, container, &matching);
	id = class_id(maker->ns, &matching);
	for (size_t i = 0; i < plan->cls_nr; i++)
		if (strcmp(plan->cls[i].id, id) == 0)
			return i;
	GROW(plan->cls, plan->cls_nr);
	plan->cls[plan->cls_nr] = (struct plan_class){ .id = TAKE_PTR(id) };
	class_make_steps(plan, &plan->cls[plan->cls_nr++], &matching, &maker->scope);
	GROW(maker->outcome, maker->outcome_nr);
	outcome = &maker->outcome[maker->outcome_nr++];
	effective(&matching, &maker->scope, &outcome->effective);
	outcome->matching = matching;
	matching = (struct ranked){ 0 };
	return plan->cls_nr - 1;
}

/* --- what policies came to --- */

/* What a limit took from what the policy itself asks for. */
static void tell_clamp(const struct object *object, const struct effective *e,
		       struct policy_summary *ret_summary)
{
	uint32_t lost = object->policy.add & e->wanted.caps & ~e->setting.caps;

	if (e->caps_clamped_by && lost) {
		ret_summary->clamped = true;
		ret_summary->caps_lost = lost;
		summary_set_name(ret_summary->clamped_by, e->caps_clamped_by->name);
	}
	if (e->rate_by == object && e->rate_clamped_by) {
		ret_summary->clamped = true;
		ret_summary->rate_from_hz = e->wanted.rate_hz;
		ret_summary->rate_to_hz = e->setting.rate_hz;
		ret_summary->caps_lost |= e->wanted.caps & ~e->setting.caps & CAP_CPU_SAMPLING;
		summary_set_name(ret_summary->clamped_by, e->rate_clamped_by->name);
	}
}

/* What a policy came to in a class that holds a container it selects. */
static void tell(const struct object *object, const struct outcome *outcome,
		 struct policy_summary *ret_summary)
{
	const struct effective *e = &outcome->effective;
	const struct object *winner;

	*ret_summary = (struct policy_summary){ .rate_hz = e->setting.rate_hz };
	for (size_t i = 0; i < outcome->matching.nr; i++)
		ret_summary->in_force |= outcome->matching.item[i].object == object;
	if (!ret_summary->in_force)
		return;
	if (e->cpu_off_by)
		summary_set_name(ret_summary->cpu_off_by, e->cpu_off_by->name);
	ret_summary->has_part = effective_has_part(e, object);
	if (ret_summary->has_part) {
		tell_clamp(object, e, ret_summary);
		return;
	}
	winner = effective_winner(e, &outcome->matching, object);
	if (winner)
		summary_set_name(ret_summary->winner, winner->name);
}

/* `container` NULL = the pod as a whole. */
static bool tally_container(struct maker *maker, size_t policy, const struct object *pod,
			    const char *container, size_t cls)
{
	struct policy_tally *tally = &maker->part->tally[policy];
	const struct object *object = maker->policies.object[policy];
	struct policy_summary summary;

	if (!policy_matches(&object->policy, pod, container))
		return false;
	tell(object, &maker->outcome[cls], &summary);
	summary_add(&tally->summary, &summary);
	return true;
}

static void tally_pod(struct maker *maker, const struct object *pod, size_t pod_class,
		      const size_t *container_class)
{
	for (size_t i = 0; i < maker->policies.nr; i++) {
		struct policy_summary *summary = &maker->part->tally[i].summary;
		bool selected = tally_container(maker, i, pod, NULL, pod_class);

		for (size_t j = 0; j < pod->pod.container_nr; j++)
			if (container_class[j] != pod_class || !selected)
				selected |=
					tally_container(maker, i, pod, pod->pod.container[j].name,
							container_class[j]);
		if (selected)
			summary->pods++;
		summary->nodes = summary->pods > 0;
	}
}

/* --- targets --- */

static void add_containers(struct maker *maker, struct plan_target *target,
			   const struct object *pod, const size_t *container_class)
{
	const struct plan *plan = &maker->part->plan;

	for (size_t i = 0; i < pod->pod.container_nr; i++) {
		const struct pod_container *container = &pod->pod.container[i];
		const char *id = plan->cls[container_class[i]].id;

		GROW(target->container, target->container_nr);
		target->container[target->container_nr++] = (struct plan_container){
			.name = xstrdup(container->name),
			.cid = cid_text(container->cid),
			.cgroup = container->cgroup ? xstrdup(container->cgroup) : NULL,
			.class_id = strcmp(id, target->class_id) ? xstrdup(id) : NULL,
		};
	}
}

static void add_labels(const struct maker *maker, struct plan_target *target,
		       const struct object *pod)
{
	for (size_t i = 0; maker->options && i < maker->options->label_nr; i++) {
		const char *key = maker->options->label[i];
		const char *value = labels_get(pod->labels, key);

		struct plan_label label = { (char *)key, (char *)value };

		if (!value || target->label_nr == LIMIT_PLAN_LABELS ||
		    plan_label_check(&label, NULL) < 0)
			continue;
		GROW(target->label, target->label_nr);
		target->label[target->label_nr++] =
			(struct plan_label){ .key = xstrdup(key), .value = xstrdup(value) };
	}
}

static void add_pod(struct maker *maker, const struct object *pod)
{
	struct plan *plan = &maker->part->plan;
	size_t container_class[LIMIT_PLAN_CONTAINERS + 1];
	size_t pod_class = get_class(maker, pod, NULL);
	const char *service = pod->pod.service;
	struct plan_target *target;

	for (size_t i = 0; i < pod->pod.container_nr; i++)
		container_class[i] = maker->by_container
					     ? get_class(maker, pod, pod->pod.container[i].name)
					     : pod_class;
	tally_pod(maker, pod, pod_class, container_class);
	GROW(plan->target, plan->target_nr);
	target = &plan->target[plan->target_nr++];
	*target = (struct plan_target){
		.uid = xstrdup(pod->uid),
		.ns = xstrdup(pod->ns),
		.pod = xstrdup(pod->name),
		.service = service && plan_name_valid(service) ? xstrdup(service) : NULL,
		.class_id = xstrdup(plan->cls[pod_class].id),
	};
	add_containers(maker, target, pod, container_class);
	add_labels(maker, target, pod);
	if (plan_target_check(target, NULL) < 0) {
		plan_target_release(target);
		plan->target_nr--;
	}
}

/* --- the part --- */

static const char *labels_of(const struct object *object)
{
	return object ? object->labels : NULL;
}

static void maker_init(struct maker *maker, const struct store *store, const char *node,
		       int64_t now_ns)
{
	struct object_list cluster = store_cluster_policies(store);
	struct part *part = maker->part;

	cluster_scope_init(&maker->scope, cluster.object, cluster.nr,
			   labels_of(store_find(store, OBJECT_NAMESPACE, "", maker->ns)),
			   labels_of(store_find(store, OBJECT_NODE, "", node)));
	maker->policies = store_policies(store, maker->ns);
	ranked_init_policies(&maker->in_force, &maker->policies, store_clocks(store, maker->ns),
			     effective_max_duration(&maker->scope.limits, NULL), now_ns);
	part->next_end_ns = INT64_MAX;
	for (size_t i = 0; i < maker->in_force.nr; i++) {
		const struct candidate *item = &maker->in_force.item[i];

		maker->by_container |= item->object->policy.container_nr > 0;
		part->next_end_ns = MIN(part->next_end_ns, item->end_ns);
	}
	part->tally_nr = maker->policies.nr;
	part->tally = xcalloc(part->tally_nr, sizeof(*part->tally));
	for (size_t i = 0; i < part->tally_nr; i++)
		part->tally[i].policy = xstrdup(maker->policies.object[i]->name);
}

static void maker_release(struct maker *maker)
{
	for (size_t i = 0; i < maker->outcome_nr; i++)
		ranked_release(&maker->outcome[i].matching);
	free(maker->outcome);
	ranked_release(&maker->in_force);
	cluster_scope_release(&maker->scope);
}

void part_make(struct part *part, const struct store *store, const struct compile_options *options,
	       const char *node, struct object_list pods, int64_t now_ns)
{
	struct maker maker = { .part = part, .options = options, .ns = part->ns.name };

	part->stale = false;
	maker_init(&maker, store, node, now_ns);
	for (size_t i = 0; i < pods.nr; i++)
		if (!pods.object[i]->pod.done)
			add_pod(&maker, pods.object[i]);
	maker_release(&maker);
}

void part_clear(struct part *part)
{
	for (size_t i = 0; i < part->tally_nr; i++)
		free(part->tally[i].policy);
	free(part->tally);
	plan_release(&part->plan);
	*part = (struct part){ .ns = part->ns, .changed = part->changed, .seq = part->seq };
}

static int compare_tally(const void *key, const void *element)
{
	return strcmp(key, ((const struct policy_tally *)element)->policy);
}

const struct policy_tally *part_find_tally(const struct part *part, const char *policy)
{
	return sorted_find(policy, part->tally, part->tally_nr, sizeof(*part->tally),
			   compare_tally);
}
