/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/compile_part.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/compile/compile_target.h"
#include "lib/core/limits.h"
#include "lib/core/plan/caps.h"
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
	struct plan plan; /* of the part, until it is packed */
	const struct compile_options *options;
	const char *ns;
	struct cluster_scope scope;
	struct object_list policies;	/* in the namespace's share */
	struct policy_summary *summary; /* of each of them */
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

static size_t find_class(const struct plan *plan, const char *id)
{
	size_t i = 0;

	while (i < plan->cls_nr && strcmp(plan->cls[i].id, id) != 0)
		i++;
	return i;
}

/* Without those that select, what is left is the class of the namespace. */
static void drop_selecting(struct ranked *matching)
{
	size_t nr = 0;

	for (size_t i = 0; i < matching->nr; i++)
		if (!policy_selects(&matching->item[i].object->policy))
			matching->item[nr++] = matching->item[i];
	matching->nr = nr;
}

/* The index of the class of a container (NULL: of the pod as a whole). */
static size_t get_class(struct maker *maker, const struct object *pod, const char *container)
{
	struct plan *plan = &maker->plan;
	cleanup(ranked_release) struct ranked matching;
	cleanup(freep) char *id = NULL;
	struct outcome *outcome;
	size_t at;

	match(maker, pod, container, &matching);
	id = class_id(maker->ns, &matching);
	at = find_class(plan, id);
	if (at == plan->cls_nr && at >= LIMIT_NS_CLASSES && strcmp(id, maker->ns) != 0) {
		drop_selecting(&matching);
		id[strlen(maker->ns)] = '\0'; /* "NS/HASH" -> "NS" */
		at = find_class(plan, id);
	}
	if (at < plan->cls_nr)
		return at;
	GROW(plan->cls, plan->cls_nr);
	plan->cls[plan->cls_nr] = (struct plan_class){ .id = TAKE_PTR(id) };
	class_make_steps(plan, &plan->cls[plan->cls_nr++], &matching, &maker->scope);
	GROW(maker->outcome, maker->outcome_nr);
	outcome = &maker->outcome[maker->outcome_nr++];
	effective(&matching, &maker->scope, &outcome->effective);
	outcome->matching = matching;
	matching = (struct ranked){ 0 };
	return at;
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

static bool is_in(const struct ranked *ranked, const struct object *object)
{
	for (size_t i = 0; i < ranked->nr; i++)
		if (ranked->item[i].object == object)
			return true;
	return false;
}

/* What a policy came to in a class that holds a container it selects. */
static void tell(const struct maker *maker, const struct object *object,
		 const struct outcome *outcome, struct policy_summary *ret_summary)
{
	const struct effective *e = &outcome->effective;
	const struct object *winner;

	*ret_summary = (struct policy_summary){ .rate_hz = e->setting.rate_hz };
	ret_summary->in_force = is_in(&outcome->matching, object);
	if (!ret_summary->in_force) {
		ret_summary->left_out = is_in(&maker->in_force, object);
		return;
	}
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
	const struct object *object = maker->policies.object[policy];
	struct policy_summary summary;

	if (!policy_matches(&object->policy, pod, container))
		return false;
	tell(maker, object, &maker->outcome[cls], &summary);
	summary_add(&maker->summary[policy], &summary);
	return true;
}

/* What a policy that selects the pod is to tell of it. */
static void tally_lost(const struct object *pod, unsigned lost, struct policy_summary *summary)
{
	unsigned told = lost & ~(1U << POD_LOST_POD | 1U << POD_LOST_LABELS);
	const struct policy_summary more = {
		.left_out = lost & 1U << POD_LOST_POD,
		.lost = told,
		.lost_pod = told ? pod->name : NULL,
	};

	summary_add(summary, &more);
}

static void tally_pod(struct maker *maker, const struct object *pod, size_t pod_class,
		      const size_t *container_class, unsigned lost)
{
	for (size_t i = 0; i < maker->policies.nr; i++) {
		struct policy_summary *summary = &maker->summary[i];
		bool selected = tally_container(maker, i, pod, NULL, pod_class);

		for (size_t j = 0; j < pod->pod.container_nr; j++)
			if (container_class[j] != pod_class || !selected)
				selected |=
					tally_container(maker, i, pod, pod->pod.container[j].name,
							container_class[j]);
		if (selected) {
			summary->pods++;
			tally_lost(pod, lost, summary);
		}
		summary->nodes = summary->pods > 0;
	}
}

/* Only those that select something are kept: a node has many namespaces, and a namespace may have many policies. */
static void keep_tallies(const struct maker *maker)
{
	struct part *part = maker->part;
	size_t nr = 0;

	for (size_t i = 0; i < maker->policies.nr; i++)
		nr += maker->summary[i].pods > 0;
	if (!nr)
		return;
	part->tally = xcalloc(nr, sizeof(*part->tally));
	for (size_t i = 0; i < maker->policies.nr; i++)
		if (maker->summary[i].pods > 0)
			tally_init(&part->tally[part->tally_nr++], maker->policies.object[i]->name,
				   &maker->summary[i]);
}

/* --- pods --- */

/* Add the pod, as far as a plan can say it.  Returns what it cannot. */
static unsigned add_target(struct maker *maker, const struct object *pod, size_t pod_class,
			   const size_t *container_class)
{
	struct plan *plan = &maker->plan;
	unsigned lost;

	GROW(plan->target, plan->target_nr);
	lost = target_make(&plan->target[plan->target_nr], pod, plan->cls, pod_class,
			   container_class, maker->options);
	plan->target_nr += !(lost & 1U << POD_LOST_POD);
	return lost;
}

static void add_pod(struct maker *maker, const struct object *pod)
{
	size_t container_class[LIMIT_PLAN_CONTAINERS + 1];
	size_t pod_class = get_class(maker, pod, NULL);
	unsigned lost;

	for (size_t i = 0; i < pod->pod.container_nr; i++)
		container_class[i] = maker->by_container
					     ? get_class(maker, pod, pod->pod.container[i].name)
					     : pod_class;
	lost = add_target(maker, pod, pod_class, container_class);
	for (size_t i = 0; i < POD_LOST_NR; i++)
		maker->part->lost[i] += lost >> i & 1;
	tally_pod(maker, pod, pod_class, container_class, lost);
}

/* --- the part --- */

static const char *labels_of(const struct object *object)
{
	return object ? object->labels : NULL;
}

static void maker_init(struct maker *maker, const struct store *store, int64_t now_ns)
{
	struct object_list cluster = store_cluster_policies(store);
	const struct share *share = store_share(store, maker->ns, now_ns);
	struct part *part = maker->part;

	cluster_scope_init(&maker->scope, cluster.object, cluster.nr,
			   labels_of(store_find(store, OBJECT_NAMESPACE, "", maker->ns)),
			   labels_of(store_find(store, OBJECT_NODE, "", part->node)));
	maker->policies = share->in;
	maker->summary = xcalloc(share->in.nr, sizeof(*maker->summary));
	ranked_init_policies(&maker->in_force, share,
			     effective_max_duration(&maker->scope.limits, NULL), now_ns);
	/* When a boost of the share has ended, another may be let in. */
	part->next_end_ns = share->beyond ? share->until_ns : INT64_MAX;
	for (size_t i = 0; i < maker->in_force.nr; i++) {
		const struct candidate *item = &maker->in_force.item[i];

		maker->by_container |= item->object->policy.container_nr > 0;
		part->next_end_ns = MIN(part->next_end_ns, item->end_ns);
	}
}

static void maker_release(struct maker *maker)
{
	for (size_t i = 0; i < maker->outcome_nr; i++)
		ranked_release(&maker->outcome[i].matching);
	free(maker->outcome);
	free(maker->summary);
	plan_release(&maker->plan);
	ranked_release(&maker->in_force);
	cluster_scope_release(&maker->scope);
}

void part_make(struct part *part, const struct store *store, const struct compile_options *options,
	       struct object_list pods, int64_t now_ns)
{
	struct maker maker = { .part = part, .options = options, .ns = part->ns.name };

	part->stale = false;
	maker_init(&maker, store, now_ns);
	for (size_t i = 0; i < pods.nr; i++)
		if (!pods.object[i]->pod.done)
			add_pod(&maker, pods.object[i]);
	keep_tallies(&maker);
	part->pack = plan_pack(&maker.plan);
	maker_release(&maker);
}

void part_clear(struct part *part)
{
	for (size_t i = 0; i < part->tally_nr; i++)
		tally_release(&part->tally[i]);
	free(part->tally);
	free(part->pack);
	*part = (struct part){
		.ns = part->ns, .node = part->node, .changed = part->changed, .seq = part->seq
	};
}
