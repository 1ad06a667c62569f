/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/kernel/sampler_priv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lib/core/plan/caps.h"
#include "sampler.skel.h"

void map_rows_release(struct map_rows *rows)
{
	free(rows->cgroup);
	*rows = (struct map_rows){ 0 };
}

static struct prof_class class_row(const struct want_class *want)
{
	struct prof_class row = { 0 };

	if (!want->used)
		return row;
	row.flags = PROF_CLASS_USED;
	row.rate_hz = (uint16_t)want->rate_hz;
	if (want->rate_hz && (want->caps & CAP_CPU_SAMPLING))
		row.period_ns = (uint32_t)(NSEC_PER_SEC / want->rate_hz);
	if (want->caps & CAP_KERNEL)
		row.flags |= PROF_WANT_KERNEL;
	if (want->caps & CAP_NATIVE)
		row.flags |= PROF_WANT_USER;
	return row;
}

static int map_rows_from_want(const struct sampler *s, const struct want *want,
			      struct map_rows *rows, struct err *err)
{
	uint32_t room = bpf_map__max_entries(s->skel->maps.cgroups);

	if (want->cgroup_nr > room)
		return err_set(err, -E2BIG, "%zu cgroups on this node; %u can be told apart",
			       want->cgroup_nr, room);
	assert(want->base_hz > 0 && want->cls_nr <= PROF_CLASSES);
	*rows = (struct map_rows){ .base_hz = want->base_hz, .cgroup_nr = want->cgroup_nr };
	for (size_t i = 0; i < want->cls_nr; i++)
		rows->cls[i] = class_row(&want->cls[i]);
	rows->cgroup = xcalloc(want->cgroup_nr, sizeof(*rows->cgroup));
	if (want->cgroup_nr)
		memcpy(rows->cgroup, want->cgroup, want->cgroup_nr * sizeof(*rows->cgroup));
	return 0;
}

/* Write, read back, compare. */
static int put(const struct bpf_map *map, const void *key, size_t key_size, const void *value,
	       size_t size)
{
	unsigned char held[16];
	int r;

	assert(size <= sizeof(held));
	r = bpf_map__update_elem(map, key, key_size, value, size, BPF_ANY);
	if (r < 0)
		return r;
	r = bpf_map__lookup_elem(map, key, key_size, held, size, 0);
	if (r < 0)
		return r;
	return memcmp(held, value, size) == 0 ? 0 : -EIO;
}

/* One store, and what the kernel says then. */
static int put_class(struct sampler *s, uint32_t i, const struct prof_class *row)
{
	struct prof_class held;
	uint64_t word;
	int r;

	memcpy(&word, row, sizeof(word));
	__atomic_store_n((uint64_t *)(void *)&s->cls[i], word, __ATOMIC_RELEASE);
	r = bpf_map__lookup_elem(s->skel->maps.classes, &i, sizeof(i), &held, sizeof(held), 0);
	if (r < 0)
		return r;
	return memcmp(&held, row, sizeof(held)) == 0 ? 0 : -EIO;
}

static bool is_used(const struct prof_class *row)
{
	return row->flags & PROF_CLASS_USED;
}

/* Compares with what the kernel has; on failure err names the row. */
static int put_changed(struct sampler *s, uint32_t i, const struct prof_class *row, struct err *err)
{
	int r;

	if (memcmp(&s->cls[i], row, sizeof(*row)) == 0)
		return 0;
	r = put_class(s, i, row);
	return r < 0 ? err_set(err, r, "class row %u (%u Hz): %s", i, row->rate_hz, strerror(-r))
		     : 0;
}

static int put_classes(struct sampler *s, const struct map_rows *to, struct err *err)
{
	int r = 0;

	for (uint32_t i = 0; i < PROF_CLASSES && r == 0; i++)
		if (is_used(&to->cls[i]))
			r = put_changed(s, i, &to->cls[i], err);
	return r;
}

/* Rows that `to` has no class for, but not those that `from` still had: a tick that is under way may have
 * read its cgroup's row before the cgroup was moved, and finds the class as it was. */
static int end_classes(struct sampler *s, const struct map_rows *from, const struct map_rows *to,
		       struct err *err)
{
	int r = 0;

	for (uint32_t i = 0; i < PROF_CLASSES && r == 0; i++)
		if (!is_used(&to->cls[i]) && !is_used(&from->cls[i]))
			r = put_changed(s, i, &to->cls[i], err);
	return r;
}

static int put_cgroup(struct sampler *s, const struct want_cgroup *want, struct err *err)
{
	struct prof_cgroup row = { .slot = want->slot,
				   .cls = (uint16_t)want->cls,
				   .flags = want->whole ? PROF_CGROUP_WHOLE : 0 };
	uint64_t id = want->id;
	int r = put(s->skel->maps.cgroups, &id, sizeof(id), &row, sizeof(row));

	if (r < 0)
		return err_set(err, r, "cgroup %llu (slot %u, class row %u): %s",
			       (unsigned long long)id, row.slot, row.cls, strerror(-r));
	return 0;
}

static int drop_cgroup(struct sampler *s, uint64_t id, struct err *err)
{
	int r = bpf_map__delete_elem(s->skel->maps.cgroups, &id, sizeof(id), 0);

	if (r < 0 && r != -ENOENT)
		return err_set(err, r, "forgetting cgroup %llu: %s", (unsigned long long)id,
			       strerror(-r));
	return 0;
}

static bool same_cgroup(const struct want_cgroup *a, const struct want_cgroup *b)
{
	return a->slot == b->slot && a->cls == b->cls && a->whole == b->whole;
}

/* Both lists are sorted by id.  Those gone first: a full map has room again. */
static int put_cgroups(struct sampler *s, const struct map_rows *from, const struct map_rows *to,
		       struct err *err)
{
	size_t i = 0, j = 0;
	int r = 0;

	while (i < from->cgroup_nr && r == 0) {
		while (j < to->cgroup_nr && to->cgroup[j].id < from->cgroup[i].id)
			j++;
		if (j == to->cgroup_nr || to->cgroup[j].id != from->cgroup[i].id)
			r = drop_cgroup(s, from->cgroup[i].id, err);
		i++;
	}
	for (i = j = 0; j < to->cgroup_nr && r == 0; j++) {
		const struct want_cgroup *want = &to->cgroup[j];

		while (i < from->cgroup_nr && from->cgroup[i].id < want->id)
			i++;
		if (i == from->cgroup_nr || from->cgroup[i].id != want->id ||
		    !same_cgroup(&from->cgroup[i], want))
			r = put_cgroup(s, want, err);
	}
	return r;
}

/* The base goes up before a class asks for more than it gives, and down after the last one did.  Rows of classes come
 * before the cgroups that are to be in them.  The row of a class that ends stays as it is until the next change. */
static int converge(struct sampler *s, const struct map_rows *from, const struct map_rows *to,
		    struct err *err)
{
	int r = end_classes(s, from, to, err);

	if (r == 0 && to->base_hz > s->base_hz)
		r = sampler_set_base(s, to->base_hz, err);
	if (r == 0)
		r = put_classes(s, to, err);
	if (r == 0)
		r = put_cgroups(s, from, to, err);
	if (r == 0 && to->base_hz < s->base_hz)
		r = sampler_set_base(s, to->base_hz, err);
	return r;
}

int sampler_apply(struct sampler *s, const struct want *want, struct err *err)
{
	static const struct map_rows none;
	struct map_rows rows = { 0 };
	int r = map_rows_from_want(s, want, &rows, err);

	if (r < 0)
		return r;
	r = converge(s, &s->applied, &rows, err);
	if (r < 0) {
		/* Writes every row that may differ, however far we came. */
		if (converge(s, &rows, &s->applied, NULL) < 0 ||
		    end_classes(s, &none, &s->applied, NULL) < 0)
			err_wrap(err, r, "the maps are half changed");
		map_rows_release(&rows);
		return r;
	}
	map_rows_release(&s->applied);
	s->applied = rows;
	return 0;
}
