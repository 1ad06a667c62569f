/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/compile/part_index.h"

#include <assert.h>
#include <string.h>

#include "lib/core/sorted.h"

static int compare_node(const void *key, const void *element)
{
	return strcmp(key, (*(struct part *const *)element)->node);
}

static int compare_policy(const void *key, const void *element)
{
	return strcmp(key, ((const struct policy_sum *)element)->policy);
}

static void drop_sums(struct part_row *row)
{
	for (size_t i = 0; i < row->sum_nr; i++)
		free(row->sum[i].policy);
	free(TAKE_PTR(row->sum));
	row->sum_nr = 0;
}

static void row_free(struct part_row *row)
{
	drop_sums(row);
	free(row->part);
	free(row->ns.name);
	free(row);
}

void part_index_release(struct part_index *index)
{
	for (size_t i = 0; i < index->row.nr; i++)
		row_free((struct part_row *)index->row.item[i]);
	free(index->row.item);
	*index = (struct part_index){ 0 };
}

struct part_row *part_index_row(const struct part_index *index, const char *ns)
{
	return named_find(&index->row, ns);
}

void part_index_add(struct part_index *index, struct part *part)
{
	struct part_row *row = named_get(&index->row, part->ns.name, sizeof(*row));
	size_t at = sorted_place(part->node, row->part, row->nr, sizeof(*row->part), compare_node);

	GROW(row->part, row->nr);
	memmove(&row->part[at + 1], &row->part[at], (row->nr - at) * sizeof(*row->part));
	row->part[at] = part;
	row->nr++;
	row->stale = true;
}

void part_index_remove(struct part_index *index, const struct part *part)
{
	struct part_row *row = part_index_row(index, part->ns.name);
	size_t at;

	assert(row);
	at = sorted_place(part->node, row->part, row->nr, sizeof(*row->part), compare_node);
	assert(at < row->nr && row->part[at] == part);
	row->nr--;
	memmove(&row->part[at], &row->part[at + 1], (row->nr - at) * sizeof(*row->part));
	row->stale = true;
	if (row->nr)
		return;
	named_take(&index->row, part->ns.name);
	row_free(row);
}

/* --- sums --- */

static struct policy_sum *sum_of(struct part_row *row, const char *policy)
{
	size_t at = sorted_place(policy, row->sum, row->sum_nr, sizeof(*row->sum), compare_policy);

	if (at < row->sum_nr && strcmp(row->sum[at].policy, policy) == 0)
		return &row->sum[at];
	GROW(row->sum, row->sum_nr);
	memmove(&row->sum[at + 1], &row->sum[at], (row->sum_nr - at) * sizeof(*row->sum));
	row->sum[at] = (struct policy_sum){ .policy = xstrdup(policy) };
	row->sum_nr++;
	return &row->sum[at];
}

static void add_tally(struct part_row *row, const struct tally *tally)
{
	struct policy_summary summary;

	tally_summary(tally, &summary);
	summary_add(&sum_of(row, tally->policy)->summary, &summary);
}

const struct policy_summary *part_row_sum(struct part_row *row, const char *policy)
{
	const struct policy_sum *sum;

	if (row->stale) {
		drop_sums(row);
		row->no_labels = false;
		for (size_t i = 0; i < row->nr; i++)
			row->no_labels |= row->part[i]->lost[POD_LOST_LABELS] > 0;
		for (size_t i = 0; i < row->nr; i++)
			for (size_t k = 0; k < row->part[i]->tally_nr; k++)
				add_tally(row, &row->part[i]->tally[k]);
		row->stale = false;
	}
	sum = sorted_find(policy, row->sum, row->sum_nr, sizeof(*row->sum), compare_policy);
	return sum ? &sum->summary : NULL;
}
