/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/profile/collect.h"

#include "agent/core/model/sample.h"
#include "lib/core/hash.h"
#include "lib/core/table.h"

#include <stdio.h>
#include <string.h>

#define UNKNOWN_NS "_unknown"
#define CID_SHORT 12

/* A profile in the making, or one that waits for its container's name. */
struct piece {
	struct profile *profile; /* NULL until its first sample */
	uint32_t rate_hz;
	int64_t start_ns, end_ns; /* end 0 = the present one */
};

struct source {
	struct table_node node;		   /* by container */
	const struct container *container; /* NULL: of cgroups that nobody has seen */
	size_t at;
	uint32_t rate_hz;
	int64_t since_ns; /* when the present piece began */
	struct piece *piece;
	size_t piece_nr;
	bool released; /* its clock's rest was emitted */
	char brief[CID_SHORT + 1];
};

struct collect {
	const struct cgroups *cgroups;
	const struct collect_events *events;
	void *ctx;
	int64_t hold_ns, window_ns; /* window_ns: when the present window began */
	struct table by_container;
	struct source **source;
	size_t source_nr;
	size_t held; /* pieces that wait for a name */
	struct collect_done *done;
	size_t done_nr;
	struct collect_stats stats;
};

struct collect *collect_new(const struct cgroups *cgroups, const struct collect_events *events,
			    void *ctx, int64_t hold_ns, int64_t now_ns)
{
	struct collect *collect = xcalloc(1, sizeof(*collect));

	collect->cgroups = cgroups;
	collect->events = events;
	collect->ctx = ctx;
	collect->hold_ns = hold_ns;
	collect->window_ns = now_ns;
	return collect;
}

static void clear_pieces(struct source *source)
{
	for (size_t i = 0; i < source->piece_nr; i++)
		profile_free(source->piece[i].profile);
	free(source->piece);
	source->piece = NULL;
	source->piece_nr = 0;
}

void collect_free(struct collect *collect)
{
	if (!collect)
		return;
	for (size_t i = 0; i < collect->source_nr; i++) {
		clear_pieces(collect->source[i]);
		free(collect->source[i]);
	}
	table_release(&collect->by_container);
	free(collect->source);
	free(collect->done);
	free(collect);
}

/* --- sources --- */

static uint64_t hash_of(const struct container *container)
{
	return hash_u64((uintptr_t)container);
}

static struct source *find_source(const struct collect *collect, const struct container *container)
{
	struct table_node *node = table_first(&collect->by_container, hash_of(container));

	return TABLE_ENTRY(node, struct source, node);
}

static struct source *add_source(struct collect *collect, const struct container *container,
				 uint32_t rate_hz, int64_t since_ns)
{
	struct source *source = xcalloc(1, sizeof(*source));

	source->container = container;
	source->rate_hz = rate_hz;
	source->since_ns = since_ns;
	source->at = collect->source_nr;
	GROW(collect->source, collect->source_nr);
	collect->source[collect->source_nr++] = source;
	table_add(&collect->by_container, &source->node, hash_of(container));
	return source;
}

static void remove_source(struct collect *collect, struct source *source)
{
	struct source *last = collect->source[--collect->source_nr];

	collect->source[source->at] = last;
	last->at = source->at;
	table_remove(&collect->by_container, &source->node);
	clear_pieces(source);
	free(source);
}

/* --- pieces --- */

static struct piece *add_piece(struct source *source, uint32_t rate_hz, int64_t start_ns,
			       int64_t end_ns)
{
	GROW(source->piece, source->piece_nr);
	source->piece[source->piece_nr] =
		(struct piece){ .rate_hz = rate_hz, .start_ns = start_ns, .end_ns = end_ns };
	return &source->piece[source->piece_nr++];
}

static struct piece *present_piece(struct source *source)
{
	if (source->piece_nr > 0 && source->piece[source->piece_nr - 1].end_ns == 0)
		return &source->piece[source->piece_nr - 1];
	return add_piece(source, source->rate_hz, source->since_ns, 0);
}

/* A sample at a rate that this window does not know: taken before the container was registered,
 * or very late.  It stands for a nanosecond at the beginning of the present piece, so that times do not overlap. */
static struct piece *stray_piece(struct source *source, uint32_t rate_hz)
{
	struct piece present = *present_piece(source);
	struct piece *stray = &source->piece[source->piece_nr - 1];

	*stray = (struct piece){ .rate_hz = rate_hz,
				 .start_ns = present.start_ns,
				 .end_ns = present.start_ns + 1 };
	present.start_ns++;
	source->since_ns = present.start_ns;
	*add_piece(source, present.rate_hz, present.start_ns, 0) = present;
	return &source->piece[source->piece_nr - 2]; /* the array may have moved */
}

/* The latest piece of this window with the sample's rate. */
static struct piece *piece_for(const struct collect *collect, struct source *source,
			       uint32_t rate_hz)
{
	(void)present_piece(source);
	for (size_t i = source->piece_nr; i-- > 0;) {
		struct piece *piece = &source->piece[i];

		if (piece->end_ns && piece->end_ns <= collect->window_ns)
			break;
		if (piece->rate_hz == rate_hz)
			return piece;
	}
	return stray_piece(source, rate_hz);
}

static struct profile *profile_of(struct piece *piece)
{
	if (!piece->profile)
		piece->profile = profile_new();
	return piece->profile;
}

static const struct cgroup *find_cgroup(struct collect *collect, uint64_t id)
{
	const struct cgroup *cgroup = cgroups_find(collect->cgroups, id);

	if (cgroup || !collect->events->unknown)
		return cgroup;
	collect->events->unknown(collect->ctx, id);
	return cgroups_find(collect->cgroups, id);
}

static struct source *source_of(struct collect *collect, const struct sample *sample)
{
	const struct cgroup *cgroup = find_cgroup(collect, sample->cgroup);
	const struct container *container = cgroup ? cgroup->container : NULL;
	struct source *source;

	if (cgroup && !container)
		return NULL;
	source = find_source(collect, container);
	return source ? source
		      : add_source(collect, container, sample->rate_hz, collect->window_ns);
}

void collect_sample(struct collect *collect, const struct sample *sample)
{
	struct source *source = source_of(collect, sample);

	if (!source) {
		collect->stats.outside_ns += sample->cpu_ns;
		return;
	}
	collect->events->add(collect->ctx, profile_of(piece_for(collect, source, sample->rate_hz)),
			     sample);
	collect->stats.cpu_ns += sample->cpu_ns;
	collect->stats.samples += sample->samples;
}

uint32_t collect_rate(struct collect *collect, const struct container *container, uint32_t rate_hz,
		      int64_t now_ns)
{
	struct source *source = find_source(collect, container);
	uint32_t before;

	if (!source)
		source = add_source(collect, container, rate_hz, now_ns);
	before = source->rate_hz;
	if (before == rate_hz)
		return before;
	present_piece(source)->end_ns = MAX(now_ns, source->since_ns + 1);
	source->rate_hz = rate_hz;
	source->since_ns = MAX(now_ns, source->since_ns + 1);
	return before;
}

/* --- the end of a window --- */

/* What the container's clock saw and no sample was given: less than one stratum per CPU. */
static void release_clock(struct collect *collect, struct source *source)
{
	const struct frame rest = { .file = FRAME_NAMED, .addr = FRAME_UNATTRIBUTED };
	uint64_t seen_ns = 0, taken_ns = 0;
	struct piece *piece = NULL;

	source->released = true;
	if (source->container->slot == 0)
		return;
	collect->events->clock(collect->ctx, source->container->slot, &seen_ns, &taken_ns);
	for (size_t i = 0; i < source->piece_nr; i++)
		if (source->piece[i].rate_hz > 0)
			piece = &source->piece[i];
	if (seen_ns <= taken_ns || !piece)
		return;
	profile_add(profile_of(piece), &rest, 1, seen_ns - taken_ns, 0);
	collect->stats.unattributed_ns += seen_ns - taken_ns;
}

/* The labels of a container that no target has named. */
static void unknown_meta(const struct container *container, char *brief, struct profile_meta *meta)
{
	const char *name = "_gone";

	if (container)
		name = container->cid[0] ? container->cid : "_pod";
	snprintf(brief, CID_SHORT + 1, "%s", name);
	meta->ns = UNKNOWN_NS;
	meta->pod = container ? container->pod_uid : "_gone";
	meta->container = brief;
	meta->service = brief;
}

static bool is_named(const struct source *source)
{
	return source->container && source->container->ns;
}

static void fill_meta(const struct source *source, const struct piece *piece, char *brief,
		      struct profile_meta *ret_meta)
{
	const struct container *container = source->container;

	*ret_meta = (struct profile_meta){
		.rate_hz = piece->rate_hz,
		.start_ns = piece->start_ns,
		.duration_ns = piece->end_ns - piece->start_ns,
	};
	ret_meta->cid = container ? container->cid : NULL;
	if (!is_named(source)) {
		unknown_meta(container, brief, ret_meta);
		return;
	}
	ret_meta->ns = container->ns;
	ret_meta->pod = container->pod;
	ret_meta->container = container->name;
	ret_meta->service = container->service;
	ret_meta->label = container->label;
	ret_meta->label_nr = container->label_nr;
}

static void emit(struct collect *collect, struct source *source)
{
	for (size_t i = 0; i < source->piece_nr; i++) {
		struct collect_done *done;

		if (!source->piece[i].profile)
			continue;
		GROW(collect->done, collect->done_nr);
		done = &collect->done[collect->done_nr++];
		done->profile = TAKE_PTR(source->piece[i].profile);
		fill_meta(source, &source->piece[i], source->brief, &done->meta);
		collect->stats.unknown_profiles += !is_named(source);
	}
	clear_pieces(source);
}

static void hand_over(struct collect *collect)
{
	if (collect->done_nr > 0)
		collect->events->done(collect->ctx, collect->done, collect->done_nr);
	for (size_t i = 0; i < collect->done_nr; i++)
		profile_free(collect->done[i].profile);
	free(collect->done);
	collect->done = NULL;
	collect->done_nr = 0;
}

/* Pieces without a sample are nothing to keep. */
static void drop_empty(struct source *source)
{
	size_t kept = 0;

	for (size_t i = 0; i < source->piece_nr; i++)
		if (source->piece[i].profile)
			source->piece[kept++] = source->piece[i];
	if (kept == 0)
		clear_pieces(source);
	source->piece_nr = kept;
}

static bool must_wait(const struct collect *collect, const struct source *source, int64_t now_ns)
{
	return source->container && !source->container->ns && source->piece_nr > 0 &&
	       collect->held + source->piece_nr <= COLLECT_HELD_MAX &&
	       now_ns - source->piece[0].start_ns < collect->hold_ns;
}

static void end_source(struct collect *collect, struct source *source, int64_t now_ns, bool last)
{
	struct piece *present = present_piece(source);

	if (source->container && !source->released && (last || source->container->gone_ns))
		release_clock(collect, source);
	present->end_ns = MAX(now_ns, present->start_ns + 1);
	source->since_ns = present->end_ns;
	drop_empty(source);
	if (!last && must_wait(collect, source, now_ns)) {
		collect->held += source->piece_nr;
		collect->stats.unnamed++;
	} else {
		emit(collect, source);
	}
}

void collect_window(struct collect *collect, int64_t now_ns, bool last)
{
	collect->held = 0;
	collect->stats.unnamed = 0;
	for (size_t i = 0; i < collect->source_nr; i++)
		end_source(collect, collect->source[i], now_ns, last);
	collect->window_ns = now_ns;
	hand_over(collect);
}

void collect_forget(struct collect *collect, const struct container *container)
{
	struct source *source = find_source(collect, container);

	if (!source)
		return;
	if (source->piece_nr > 0)
		end_source(collect, source, source->since_ns + 1, true);
	hand_over(collect);
	remove_source(collect, source);
}

void collect_stats(const struct collect *collect, struct collect_stats *ret_stats)
{
	*ret_stats = collect->stats;
}
