/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/compile.h"

#include <string.h>

#include "controller/core/compile/compile_part.h"
#include "controller/core/compile/part_index.h"
#include "controller/core/store/named.h"
#include "lib/core/limits.h"

struct node {
	struct named named;
	bool dirty;
	struct named_list part; /* by namespace */
	int64_t next_end_ns;	/* the first of its parts' */
	/* Classes and boosts of the plan last compiled, for the lane; no targets.  NULL = none yet. */
	struct plan_pack *last;
};

struct compiler {
	struct compile_options options;
	struct named_list node;
	struct part_index index;
	size_t cursor; /* no node before it is dirty */
};

/* --- the compiler's own nodes and parts --- */

struct compiler *compiler_new(const struct compile_options *options)
{
	struct compiler *compiler = xcalloc(1, sizeof(*compiler));
	size_t nr = options ? MIN(options->label_nr, LIMIT_PLAN_LABELS) : 0;
	char **label = xcalloc(nr, sizeof(*label));

	for (size_t i = 0; i < nr; i++)
		label[i] = xstrdup(options->label[i]);
	compiler->options.label = (const char *const *)label;
	compiler->options.label_nr = nr;
	return compiler;
}

static struct part *part_at(const struct node *node, size_t at)
{
	return (struct part *)node->part.item[at];
}

static void part_free(struct compiler *compiler, struct part *part)
{
	part_index_remove(&compiler->index, part);
	part_clear(part);
	free(part->ns.name);
	free(part);
}

static void node_free(struct compiler *compiler, struct node *node)
{
	for (size_t i = 0; i < node->part.nr; i++)
		part_free(compiler, part_at(node, i));
	free(node->part.item);
	free(node->last);
	free(node->named.name);
	free(node);
}

void compiler_free(struct compiler *compiler)
{
	if (!compiler)
		return;
	for (size_t i = 0; i < compiler->node.nr; i++)
		node_free(compiler, (struct node *)compiler->node.item[i]);
	free(compiler->node.item);
	part_index_release(&compiler->index);
	for (size_t i = 0; i < compiler->options.label_nr; i++)
		free((char *)compiler->options.label[i]);
	free((void *)compiler->options.label);
	free(compiler);
}

static struct node *node_at(const struct compiler *compiler, size_t at)
{
	return (struct node *)compiler->node.item[at];
}

static struct node *node_get(struct compiler *compiler, const char *name)
{
	size_t nr = compiler->node.nr;
	struct node *node = named_get(&compiler->node, name, sizeof(*node));

	if (compiler->node.nr == nr)
		return node;
	node->next_end_ns = INT64_MAX;
	compiler->cursor = MIN(compiler->cursor, named_place(&compiler->node, name));
	return node;
}

static struct part *part_get(struct compiler *compiler, struct node *node, const char *ns)
{
	size_t nr = node->part.nr;
	struct part *part = named_get(&node->part, ns, sizeof(*part));

	if (node->part.nr == nr)
		return part;
	part->node = node->named.name;
	part->stale = part->changed = true;
	part_index_add(&compiler->index, part);
	return part;
}

/* --- what has to be compiled --- */

static void make_dirty(struct compiler *compiler, size_t at)
{
	node_at(compiler, at)->dirty = true;
	compiler->cursor = MIN(compiler->cursor, at);
}

/* The node's part of `ns` (NULL = all of them) is to be made again. */
static void touch_node(struct compiler *compiler, const char *name, const char *ns)
{
	struct node *node = node_get(compiler, name);

	for (size_t i = 0; i < node->part.nr; i++)
		if (!ns || strcmp(part_at(node, i)->ns.name, ns) == 0)
			part_at(node, i)->stale = true;
	make_dirty(compiler, named_place(&compiler->node, name));
}

static void touch_ns(struct compiler *compiler, const char *ns)
{
	const struct part_row *row = part_index_row(&compiler->index, ns);

	for (size_t i = 0; row && i < row->nr; i++) {
		row->part[i]->stale = true;
		make_dirty(compiler, named_place(&compiler->node, row->part[i]->node));
	}
}

void compiler_touch(struct compiler *compiler, const struct store *store, const struct touch *touch)
{
	switch (touch->scope) {
	case TOUCH_NOTHING:
		break;
	case TOUCH_PODS:
		touch_node(compiler, touch->node, touch->ns);
		if (touch->old_node)
			touch_node(compiler, touch->old_node, touch->ns);
		break;
	case TOUCH_NS:
		touch_ns(compiler, touch->ns);
		break;
	case TOUCH_NODE:
		touch_node(compiler, touch->node, NULL);
		break;
	case TOUCH_ALL:
		for (size_t i = 0; i < compiler->node.nr; i++)
			touch_node(compiler, compiler->node.item[i]->name, NULL);
		for (size_t i = 0; i < store_node_nr(store); i++)
			touch_node(compiler, store_node_name(store, i), NULL);
		break;
	}
}

void compiler_advance(struct compiler *compiler, int64_t now_ns)
{
	for (size_t i = 0; i < compiler->node.nr; i++)
		if (node_at(compiler, i)->next_end_ns <= now_ns)
			make_dirty(compiler, i);
}

int64_t compiler_next_end(const struct compiler *compiler)
{
	int64_t end_ns = INT64_MAX;

	for (size_t i = 0; i < compiler->node.nr; i++)
		end_ns = MIN(end_ns, node_at(compiler, i)->next_end_ns);
	return end_ns;
}

const char *compiler_next_dirty(const struct compiler *compiler)
{
	for (size_t i = compiler->cursor; i < compiler->node.nr; i++)
		if (node_at(compiler, i)->dirty)
			return compiler->node.item[i]->name;
	return NULL;
}

void compiler_forget(struct compiler *compiler, const char *name)
{
	struct node *node = named_find(&compiler->node, name);

	if (!node)
		return;
	compiler->cursor -= named_place(&compiler->node, name) < compiler->cursor;
	named_take(&compiler->node, name);
	node_free(compiler, node);
}

/* --- the parts of a node --- */

static size_t pods_of_same_ns(const struct object_list *pods, size_t from)
{
	size_t nr = 1;

	while (from + nr < pods->nr &&
	       strcmp(pods->object[from + nr]->ns, pods->object[from]->ns) == 0)
		nr++;
	return nr;
}

/* A part whose namespace has no pod here any more is empty: it goes. */
static void drop_empty_parts(struct compiler *compiler, struct node *node)
{
	size_t nr = 0;

	for (size_t i = 0; i < node->part.nr; i++) {
		if (part_at(node, i)->stale)
			part_free(compiler, part_at(node, i));
		else
			node->part.item[nr++] = node->part.item[i];
	}
	node->part.nr = nr;
}

static void remake_part(struct compiler *compiler, struct part *part, const struct store *store,
			struct object_list pods, int64_t now_ns)
{
	cleanup(freep) struct plan_pack *before = TAKE_PTR(part->pack);

	part_clear(part);
	part_make(part, store, &compiler->options, pods, now_ns);
	part->changed |= !before || !plan_pack_equal(before, part->pack);
	part_index_row(&compiler->index, part->ns.name)->stale = true;
}

static void make_parts(struct compiler *compiler, struct node *node, const struct store *store,
		       int64_t now_ns)
{
	struct object_list pods = store_pods_on_node(store, node->named.name);
	size_t nr;

	for (size_t i = 0; i < pods.nr; i += nr) {
		struct part *part = part_get(compiler, node, pods.object[i]->ns);

		nr = pods_of_same_ns(&pods, i);
		if (!part->stale && part->next_end_ns > now_ns)
			continue;
		remake_part(compiler, part, store, (struct object_list){ &pods.object[i], nr },
			    now_ns);
	}
	drop_empty_parts(compiler, node);
	node->next_end_ns = INT64_MAX;
	for (size_t i = 0; i < node->part.nr; i++)
		node->next_end_ns = MIN(node->next_end_ns, part_at(node, i)->next_end_ns);
}

/* --- the plan of a node --- */

static void choose_lane(struct node *node, struct compile_result *result)
{
	cleanup(plan_release) struct plan last = { 0 };
	struct plan rows = result->plan;

	rows.target = NULL;
	rows.target_nr = 0;
	if (node->last)
		plan_unpack(node->last, &last);
	result->lane = node->last ? plan_lane(&last, &rows) : HUB_LANE_NOW;
	free(node->last);
	node->last = plan_pack(&rows);
}

void compiler_compile(struct compiler *compiler, const struct store *store, const char *name,
		      int64_t now_ns, struct compile_result *ret_result)
{
	struct node *node = node_get(compiler, name);

	*ret_result = (struct compile_result){ 0 };
	make_parts(compiler, node, store, now_ns);
	parts_join(&node->part, store, node->named.name, &ret_result->plan);
	for (size_t i = 0; i < node->part.nr; i++)
		ret_result->left_out += part_at(node, i)->left_out;
	choose_lane(node, ret_result);
	node->dirty = false;
	while (compiler->cursor < compiler->node.nr && !node_at(compiler, compiler->cursor)->dirty)
		compiler->cursor++;
}

void compiler_sent(struct compiler *compiler, const char *name, uint64_t seq)
{
	struct node *node = node_get(compiler, name);

	for (size_t i = 0; i < node->part.nr; i++) {
		struct part *part = part_at(node, i);

		if (part->changed)
			part->seq = seq;
		part->changed = false;
	}
}

/* --- what came of the policies --- */

void compiler_summary(const struct compiler *compiler, const char *ns, const char *policy,
		      struct policy_summary *ret_summary)
{
	struct part_row *row = part_index_row(&compiler->index, ns);
	const struct policy_summary *sum = row ? part_row_sum(row, policy) : NULL;

	*ret_summary = sum ? *sum : (struct policy_summary){ 0 };
	ret_summary->no_labels = row && row->no_labels;
}

void compiler_left_out(const struct compiler *compiler, struct left_out *ret)
{
	*ret = (struct left_out){ 0 };
	for (size_t i = 0; i < compiler->node.nr; i++) {
		const struct node *node = node_at(compiler, i);

		for (size_t k = 0; k < node->part.nr; k++) {
			const struct part *part = part_at(node, k);

			for (size_t j = 0; j < POD_LOST_NR; j++)
				ret->lost[j] += part->lost[j];
			ret->no_room += part->left_out;
		}
	}
}

bool compiler_policy_node(const struct compiler *compiler, const char *ns, const char *policy,
			  size_t *pos, struct policy_node *ret_node)
{
	const struct part_row *row = part_index_row(&compiler->index, ns);

	while (row && *pos < row->nr) {
		const struct part *part = row->part[(*pos)++];
		const struct tally *tally = tally_find(part->tally, part->tally_nr, policy);

		if (!tally)
			continue;
		*ret_node = (struct policy_node){
			.node = part->node,
			.seq = part->seq,
			.left_out = part->left_out || tally->left_out,
			.without_boosts = part->without_boosts,
		};
		return true;
	}
	return false;
}

bool compiler_node_policy(const struct compiler *compiler, const char *node, size_t *part_pos,
			  size_t *pos, struct policy_key *ret_policy)
{
	const struct node *at = named_find(&compiler->node, node);

	for (; at && *part_pos < at->part.nr; ++*part_pos, *pos = 0) {
		const struct part *part = part_at(at, *part_pos);

		if (*pos >= part->tally_nr)
			continue;
		*ret_policy = (struct policy_key){ part->ns.name, part->tally[(*pos)++].policy };
		return true;
	}
	return false;
}
