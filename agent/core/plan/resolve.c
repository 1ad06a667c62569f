/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/plan/resolve.h"

#include "lib/core/control/control_msg.h"
#include "lib/core/limits.h"
#include "lib/core/plan/caps.h"
#include "lib/core/sorted.h"

#include <assert.h>
#include <string.h>

#define ROW_FIRST 2 /* after PROF_CLASS_UNKNOWN and PROF_CLASS_OUTSIDE */
#define ROW_NONE 0  /* no row yet: row 0 is no class's */

/* A base is a prime above the rates it serves, and shares no factor with what machines do
 * periodically (10, 100, 250, 1000 Hz): else ticks and quota windows run in lockstep. */
static const struct {
	uint32_t max_rate_hz, base_hz;
} bases[] = { { 49, 53 }, { 100, 107 }, { LIMIT_SAMPLE_RATE_HZ, 211 } };

static bool step_lives(const struct plan *plan, const struct plan_step *step, int64_t now_ns)
{
	for (size_t i = 0; i < step->boost_nr; i++) {
		const struct plan_boost *boost = plan_find_boost(plan, step->boost[i]);

		if (!boost || plan_boost_end_ns(boost) <= now_ns)
			return false;
	}
	return true;
}

const struct plan_step *step_in_force(const struct plan *plan, const struct plan_class *cls,
				      int64_t now_ns)
{
	const struct plan_step *last = &cls->step[cls->step_nr - 1];

	for (const struct plan_step *step = cls->step; step < last; step++)
		if (step_lives(plan, step, now_ns))
			return step;
	return last;
}

int64_t plan_next_end(const struct plan *plan, int64_t now_ns)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < plan->boost_nr; i++) {
		int64_t end = plan_boost_end_ns(&plan->boost[i]);

		if (end > now_ns && end < next)
			next = end;
	}
	return next;
}

/* --- which row a class has --- */

struct held { /* a row that was in use */
	const char *id;
	size_t row;
};

static int compare_held(const void *a, const void *b)
{
	return strcmp(((const struct held *)a)->id, ((const struct held *)b)->id);
}

static struct held *held_rows(const struct want *prev, size_t *ret_nr)
{
	struct held *held = xcalloc(prev ? prev->cls_nr : 0, sizeof(*held));
	size_t nr = 0;

	for (size_t row = ROW_FIRST; prev && row < prev->cls_nr; row++)
		if (prev->cls[row].used)
			held[nr++] = (struct held){ .id = prev->cls[row].id, .row = row };
	if (nr > 0)
		qsort(held, nr, sizeof(*held), compare_held);
	*ret_nr = nr;
	return held;
}

/* A row for a new class, that was free before: while the maps are written row by row, no cgroup then
 * stands for a moment under another class's rate. */
static size_t free_row(const struct want *want, const struct want *prev)
{
	for (size_t row = ROW_FIRST; row < PROF_CLASSES; row++)
		if (!want->cls[row].used && !(prev && prev->cls[row].used))
			return row;
	return ROW_NONE;
}

_Static_assert(PROF_CLASSES >= ROW_FIRST + 2 * (LIMIT_PLAN_CLASSES + 1), "room for two plans");

/* --- what is in a row --- */

static void set_row(struct want *want, size_t row, const char *id, const struct plan_step *step,
		    const struct ceiling *ceiling)
{
	struct want_class *cls = &want->cls[row];
	uint32_t max = MIN(ceiling->max_rate_hz, LIMIT_SAMPLE_RATE_HZ);

	free(cls->id); /* class "" of the plan comes after the built-in one */
	cls->id = xstrdup(id);
	cls->caps = step->caps & ceiling->caps;
	cls->rate_hz = cls->caps & CAP_CPU_SAMPLING ? MIN(step->rate_hz, max) : 0;
	cls->clamped = step->rate_hz > max || cls->caps != step->caps;
	cls->used = true;
	want->cls_nr = MAX(want->cls_nr, row + 1);
}

static const struct plan_step builtin = { .rate_hz = RATE_HZ_DEFAULT, .caps = CAPS_DEFAULT };

struct class_rows { /* class i of the plan has row[i]; `fallback` is that of class "" */
	size_t *row;
	size_t fallback;
};

static void keep_rows(const struct plan *plan, const struct want *prev, struct class_rows *rows)
{
	size_t held_nr;
	cleanup(freep) struct held *held = held_rows(prev, &held_nr);

	for (size_t i = 0; i < plan->cls_nr; i++) {
		struct held key = { .id = plan->cls[i].id };
		struct held *found =
			held_nr ? bsearch(&key, held, held_nr, sizeof(*held), compare_held) : NULL;

		rows->row[i] = found ? found->row : ROW_NONE;
	}
}

static size_t fallback_row(const struct want *prev)
{
	for (size_t row = ROW_FIRST; prev && row < prev->cls_nr; row++)
		if (prev->cls[row].used && prev->cls[row].id[0] == '\0')
			return row;
	return ROW_FIRST;
}

/* Class "" keeps its row for ever, also without a plan; the others as long as they exist. */
static void fill_rows(const struct plan *plan, const struct ceiling *ceiling,
		      const struct want *prev, int64_t now_ns, struct want *want,
		      struct class_rows *rows)
{
	const struct plan_step *normal = &builtin;

	rows->fallback = fallback_row(prev);
	keep_rows(plan, prev, rows);
	for (size_t i = 0; i < plan->cls_nr; i++) {
		if (plan->cls[i].id[0] == '\0') {
			rows->row[i] = rows->fallback;
			normal = step_in_force(plan, &plan->cls[i], now_ns);
		}
	}
	set_row(want, PROF_CLASS_UNKNOWN, "", normal, ceiling);
	set_row(want, rows->fallback, "", normal, ceiling);
	for (size_t i = 0; i < plan->cls_nr; i++)
		if (rows->row[i] != ROW_NONE)
			set_row(want, rows->row[i], plan->cls[i].id,
				step_in_force(plan, &plan->cls[i], now_ns), ceiling);
	for (size_t i = 0; i < plan->cls_nr; i++) {
		if (rows->row[i] != ROW_NONE)
			continue;
		rows->row[i] = free_row(want, prev);
		assert(rows->row[i] != ROW_NONE);
		set_row(want, rows->row[i], plan->cls[i].id,
			step_in_force(plan, &plan->cls[i], now_ns), ceiling);
	}
}

static uint32_t base_for(const struct want *want)
{
	uint32_t max = 0;

	for (size_t row = 0; row < want->cls_nr; row++)
		if (want->cls[row].used)
			max = MAX(max, want->cls[row].rate_hz);
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
		if (max <= bases[i].max_rate_hz)
			return bases[i].base_hz;
	assert(!"a rate above LIMIT_SAMPLE_RATE_HZ");
	return 0;
}

static uint32_t row_of(const struct plan *plan, const struct class_rows *rows,
		       const struct container *container)
{
	const struct plan_class *cls = NULL;

	if (container->slot == 0)
		return PROF_CLASS_OUTSIDE;
	if (container->class_id)
		cls = plan_find_class(plan, container->class_id);
	return (uint32_t)(cls ? rows->row[cls - plan->cls] : rows->fallback);
}

static int compare_cgroup(const void *a, const void *b)
{
	const struct want_cgroup *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static void add_cgroups(const struct plan *plan, const struct cgroups *cgroups,
			const struct class_rows *rows, bool outside, size_t room, struct want *want)
{
	for (size_t i = 0; i < cgroups_nr(cgroups) && want->cgroup_nr < room; i++) {
		const struct cgroup *cgroup = cgroups_at(cgroups, i);
		struct want_cgroup *row = &want->cgroup[want->cgroup_nr];

		if (cgroup->gone_ns || outside != !cgroup->container)
			continue;
		row->id = cgroup->id;
		row->slot = outside ? 0 : cgroup->container->slot;
		row->whole = cgroup_is_whole(cgroup);
		row->cls = outside ? PROF_CLASS_OUTSIDE : row_of(plan, rows, cgroup->container);
		want->cgroup_nr++;
	}
}

void resolve(const struct plan *plan, const struct cgroups *cgroups, const struct ceiling *ceiling,
	     const struct want *prev, int64_t now_ns, struct want *ret_want)
{
	static const struct plan none;
	const struct plan *known = plan ? plan : &none;
	struct class_rows rows = { .row = xcalloc(known->cls_nr, sizeof(*rows.row)) };
	size_t room = ceiling->cgroups ? ceiling->cgroups : PROF_CGROUPS;

	memset(ret_want, 0, sizeof(*ret_want));
	ret_want->cls[PROF_CLASS_OUTSIDE].used = true;
	fill_rows(known, ceiling, prev, now_ns, ret_want, &rows);
	ret_want->base_hz = base_for(ret_want);
	ret_want->cgroup = xcalloc(MIN(cgroups_nr(cgroups), room), sizeof(*ret_want->cgroup));
	/* The map has room for so many; containers come first. */
	add_cgroups(known, cgroups, &rows, false, room, ret_want);
	add_cgroups(known, cgroups, &rows, true, room, ret_want);
	ret_want->full = ret_want->cgroup_nr == room;
	if (ret_want->cgroup_nr > 0)
		qsort(ret_want->cgroup, ret_want->cgroup_nr, sizeof(*ret_want->cgroup),
		      compare_cgroup);
	free(rows.row);
}

/* --- what did not fit --- */

static bool holds(const struct want *want, const struct cgroup *cgroup)
{
	const struct want_cgroup key = { .id = cgroup->id };

	return cgroup->container->slot &&
	       sorted_find(&key, want->cgroup, want->cgroup_nr, sizeof(key), compare_cgroup);
}

static void note_missing(struct control_missing *missing, const struct container *container)
{
	missing->cgroups++;
	if (!container->ns || control_missing_has(missing, container->ns))
		return;
	if (missing->ns_nr == CONTROL_MISSING_NAMESPACES)
		missing->more = true;
	else
		memcpy(missing->ns[missing->ns_nr++], container->ns, strlen(container->ns) + 1);
}

void resolve_missing(const struct want *want, const struct cgroups *cgroups,
		     struct control_missing *ret_missing)
{
	*ret_missing = (struct control_missing){ .more = cgroups_full(cgroups) };
	ret_missing->cgroups = ret_missing->more;
	if (!want->full && !cgroups_slots_missing(cgroups))
		return;
	for (size_t i = 0; i < cgroups_nr(cgroups); i++) {
		const struct cgroup *cgroup = cgroups_at(cgroups, i);

		if (!cgroup->gone_ns && cgroup->container && !holds(want, cgroup))
			note_missing(ret_missing, cgroup->container);
	}
}
