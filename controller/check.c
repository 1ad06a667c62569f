/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/check.h"

#include <string.h>

#include "controller/core/compile/compile.h"
#include "controller/core/compile/duration_limit.h"
#include "controller/core/store/store.h"
#include "controller/source/source_files.h"
#include "lib/core/plan/caps.h"
#include "lib/core/text/duration.h"
#include "lib/loop.h"

struct check {
	struct store *store;
	struct compiler *compiler;
	int64_t now_ns;
};

static void on_apply(void *ctx, struct manifest_doc *doc)
{
	struct check *check = ctx;
	struct touch touch = store_apply(check->store, TAKE_PTR(doc->object));

	compiler_touch(check->compiler, check->store, &touch);
}

static void on_remove(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	struct check *check = ctx;
	struct touch touch = store_delete(check->store, kind, ns, name);

	compiler_touch(check->compiler, check->store, &touch);
}

/* As if every boost had been started right now. */
static void start_boosts(struct check *check, const char *ns)
{
	struct object_list list = store_policies(check->store, ns);

	for (size_t i = 0; i < list.nr; i++) {
		const struct object *object = list.object[i];
		struct boost_clock clock = { 0 };
		struct instant now = { .boot_ns = check->now_ns };
		struct touch touch;

		if (!policy_is_boost(&object->policy))
			continue;
		clock_start(&clock, object->generation, object->policy.duration_ns, &now);
		clock.durable = true;
		touch = store_set_clock(check->store, ns, object->name, &clock);
		compiler_touch(check->compiler, check->store, &touch);
		list = store_policies(check->store, ns);
	}
}

static void compile_all(struct check *check)
{
	const char *node;

	for (size_t i = 0; i < store_ns_nr(check->store); i++)
		start_boosts(check, store_ns_name(check->store, i));
	while ((node = compiler_next_dirty(check->compiler))) {
		cleanup(freep) char *name = xstrdup(node);
		struct compile_result result;

		compiler_compile(check->compiler, check->store, name, check->now_ns, &result);
		plan_release(&result.plan);
	}
}

static void print_shortened(const struct check *check, const struct object *object, FILE *out)
{
	struct duration_limits limits;
	char text[DURATION_TEXT_MAX];

	if (!policy_is_boost(&object->policy))
		return;
	duration_limits_of(check->store, object->ns, &limits);
	duration_format(limits.all.ns, text);
	if (limits.all.ns < object->policy.duration_ns)
		fprintf(out, "shortened to %s by %s; ", text, limits.all.by);
	duration_format(limits.some.ns, text);
	if (limits.some.ns < MIN(object->policy.duration_ns, limits.all.ns))
		fprintf(out, "ends after %s on nodes that %s selects; ", text, limits.some.by);
}

static void print_lost(const struct policy_summary *summary, FILE *out)
{
	fprintf(out, "left out of pod %s:", summary->lost_pod);
	for (size_t i = 0; i < POD_LOST_NR; i++)
		if (summary->lost & 1U << i)
			fprintf(out, " %s", pod_lost_name((enum pod_lost)i));
}

static void print_note(const struct policy_summary *summary, FILE *out)
{
	if (!summary->pods)
		fprintf(out, "no pods: it selects no running one");
	else if (!summary->has_part)
		fprintf(out, "overridden by %s", summary->winner);
	else if (summary->clamped)
		fprintf(out, "clamped by %s", summary->clamped_by);
	else if (summary->rate_hz == 0 && *summary->cpu_off_by)
		fprintf(out, "nothing is sampled: %s leaves out cpu", summary->cpu_off_by);
	else if (summary->lost)
		print_lost(summary, out);
	fprintf(out, "\n");
}

static void print_policy(const struct check *check, const struct object *object, FILE *out)
{
	cleanup(freep) char *name = xasprintf("%s/%s", object->ns, object->name);
	char duration[DURATION_TEXT_MAX] = "-", rate[16] = "inherit";
	struct policy_summary summary;

	compiler_summary(check->compiler, object->ns, object->name, &summary);
	if (policy_is_boost(&object->policy))
		duration_format(object->policy.duration_ns, duration);
	if (object->policy.has_rate)
		snprintf(rate, sizeof(rate), "%u Hz", object->policy.rate_hz);
	fprintf(out, "%-40s %8s %9s %6zu %6zu %6u Hz  ", name, rate, duration, summary.pods,
		summary.nodes, summary.rate_hz);
	print_shortened(check, object, out);
	print_note(&summary, out);
}

static size_t print_policies(const struct check *check, FILE *out)
{
	size_t nr = 0;

	for (size_t i = 0; i < store_ns_nr(check->store); i++) {
		struct object_list list =
			store_policies(check->store, store_ns_name(check->store, i));

		for (size_t j = 0; j < list.nr; j++) {
			if (nr++ == 0)
				fprintf(out, "%-40s %8s %9s %6s %6s %9s  %s\n", "POLICY", "RATE",
					"DURATION", "PODS", "NODES", "EFFECTIVE", "NOTE");
			print_policy(check, list.object[j], out);
		}
	}
	return nr;
}

static size_t selected(const struct store *store, enum object_kind kind,
		       const struct selector *selector, size_t *ret_nr)
{
	bool is_node = kind == OBJECT_NODE;
	size_t nr = is_node ? store_node_nr(store) : store_ns_nr(store), selected = 0;

	for (size_t i = 0; i < nr; i++) {
		const char *name = is_node ? store_node_name(store, i) : store_ns_name(store, i);
		const struct object *object = store_find(store, kind, "", name);

		selected += selector_matches(selector, object ? object->labels : NULL);
	}
	*ret_nr = nr;
	return selected;
}

static void print_limits(const struct cluster_policy *cluster, FILE *out)
{
	char text[DURATION_TEXT_MAX];

	if (cluster->has_max_rate)
		fprintf(out, "  at most %u Hz", cluster->max_rate_hz);
	if (cluster->has_max_continuous)
		fprintf(out, "  continuously %u Hz", cluster->max_continuous_hz);
	if (cluster->max_duration_ns) {
		duration_format(cluster->max_duration_ns, text);
		fprintf(out, "  for %s", text);
	}
	for (uint32_t cap = 1; cluster->has_allowed && cap <= CAPS_ALL; cap <<= 1)
		if (CAPS_ALL & cap & ~cluster->allowed)
			fprintf(out, "  without %s", capability_name(cap));
	fprintf(out, "\n");
}

static void print_cluster_policy(const struct store *store, const struct object *object, FILE *out)
{
	const struct cluster_policy *cluster = &object->cluster;
	char rate[16] = "-", namespaces[48], nodes[48];
	size_t nr, all;

	if (cluster->has_rate)
		snprintf(rate, sizeof(rate), "%u Hz", cluster->rate_hz);
	nr = selected(store, OBJECT_NAMESPACE, &cluster->ns_selector, &all);
	snprintf(namespaces, sizeof(namespaces), "%zu of %zu", nr, all);
	nr = selected(store, OBJECT_NODE, &cluster->node_selector, &all);
	snprintf(nodes, sizeof(nodes), "%zu of %zu", nr, all);
	fprintf(out, "%-40s %8s %12s %12s", object->name, rate, namespaces, nodes);
	print_limits(cluster, out);
}

static void print_cluster_policies(const struct store *store, FILE *out)
{
	struct object_list list = store_cluster_policies(store);

	for (size_t i = 0; i < list.nr; i++) {
		if (i == 0)
			fprintf(out, "%-40s %8s %12s %12s  %s\n", "CLUSTER POLICY", "DEFAULT",
				"NAMESPACES", "NODES", "LIMITS");
		print_cluster_policy(store, list.object[i], out);
	}
}

static int report(const struct check *check, const struct source_files *files, FILE *out)
{
	struct source_files_counts counts;
	struct err why = ERR_INIT;
	size_t nr = print_policies(check, out);

	print_cluster_policies(check->store, out);
	source_files_count(files, &counts);
	for (size_t i = 0; source_files_refused_at(files, i, &why); i++)
		fprintf(out, "refused: %s\n", why.text);
	fprintf(out,
		"%zu files with %zu objects, %zu of them policies and %zu cluster policies; "
		"%zu files refused\n",
		counts.files, counts.objects, nr, store_cluster_policies(check->store).nr,
		counts.refused);
	return counts.refused ? 1 : 0;
}

int check_source(const char *path, FILE *out, struct err *err)
{
	struct check check = {
		.store = store_new(),
		.compiler = compiler_new(NULL),
		.now_ns = now_boot_ns(),
	};
	const struct source_sink sink = { .ctx = &check, .apply = on_apply, .remove = on_remove };
	struct source_files *files = source_files_new(path, &sink);
	int r = source_files_scan(files, false, check.now_ns, now_wall_ns(), err);

	if (r >= 0) {
		while (source_files_read(files, check.now_ns, NSEC_PER_SEC))
			;
		compile_all(&check);
		r = report(&check, files, out);
	}
	source_files_free(files);
	compiler_free(check.compiler);
	store_free(check.store);
	return r;
}
