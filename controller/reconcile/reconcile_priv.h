/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_RECONCILE_RECONCILE_PRIV_H
#define CONTROLLER_RECONCILE_RECONCILE_PRIV_H

/* Between reconcile.c (store -> plans, life), reconcile_source.c (source -> store), reconcile_clocks.c (of
 * boosts) and reconcile_status.c (-> statuses). */

#include "controller/core/compile/compile.h"
#include "controller/core/status/status.h"
#include "controller/core/status/tracked.h"
#include "controller/core/store/store.h"
#include "controller/reconcile/reconcile.h"

#include <uv.h>

#define POLICY_KIND_NR (OBJECT_CLUSTER_POLICY + 1)
#define OUTCOME_NR 3
enum outcome { OUTCOME_EXPIRED, OUTCOME_DELETED, OUTCOME_EDITED };

/* Statuses by how soon they are looked at: policies that were never Confirmed, and others. */
enum look_lane { LOOK_WAITING, LOOK_CONFIRMED, LOOK_NR };

struct reconcile {
	struct store *store;
	struct compiler *compiler;
	struct status_store statuses;
	void (*note)(void *ctx, enum policy_event event, const struct object *object,
		     const char *text); /* NULL = nobody listens */
	void *note_ctx;
	struct plan_sink plans; /* all zeros = nobody to send to */
	struct tracked_table tracked;
	char boot_id[BOOT_ID_MAX];
	uv_timer_t run_timer, status_timer;
	int open_handles;
	bool closing;
	int64_t retry_ns; /* CLOCK_BOOTTIME of the next try to store; INT64_MAX = none is due */
	int64_t retry_wait_ns;
	struct err not_stored; /* why; "" = all is stored */
	int64_t grace_ns; /* until then agents may be on their way back (status_grace.h); 0 = not begun */
	bool compiling;		/* a run has left something to compile */
	int64_t status_rest_ns; /* pause between two looks at statuses: they may not take all the time */
	size_t status_next[LOOK_NR]; /* where the next look begins */
	struct metrics *metrics;
	struct metric *compile_seconds, *apply_seconds, *active;
	struct metric *policies[POLICY_KIND_NR], *refused[POLICY_KIND_NR]; /* by kind */
	struct metric *outcome[OUTCOME_NR];
};

void reconcile_now(const struct reconcile *reconcile, struct instant *ret_now);
void reconcile_run(struct reconcile *reconcile);
void reconcile_remove(struct reconcile *reconcile, enum object_kind kind, const char *ns,
		      const char *name);
/* source_sink.sweep(), with a struct reconcile as ctx. */
bool reconcile_sweep(void *ctx, enum object_kind kind, const struct key_set *keep,
		     struct sweep_at *at);
/* source_sink.stored(): a boost that waited for it begins in the next turn of the loop. */
void reconcile_stored_later(void *ctx, enum object_kind kind, const char *ns, const char *name);

/* Start, restore, clamp and store the clocks of boosts. */
void reconcile_clocks(struct reconcile *reconcile, const struct instant *now);
/* Has it a clock that is not stored yet? */
bool reconcile_is_starting(const struct reconcile *reconcile, const struct object *object);
/* When the next clock ends, or INT64_MAX. */
int64_t reconcile_next_clock_end(const struct reconcile *reconcile, int64_t now_ns);

/* Look at all statuses soon. */
void reconcile_status_all(struct reconcile *reconcile);
/* At that of one ProfilingPolicy. */
void reconcile_status_of(struct reconcile *reconcile, const char *ns, const char *name);
/* Look at the dirty ones now; `last`: write those too whose turn has not come. */
void reconcile_status_run(struct reconcile *reconcile, bool last);
void reconcile_on_status_timer(uv_timer_t *timer);

/* reconcile_notes.c: tell of what is new in a status, and of a boost's end.  `before` may be NULL; `active`: it is of a boost that
 * runs. */
void reconcile_note_status(const struct reconcile *reconcile, const struct object *object,
			   const json_t *before, const json_t *after, bool active);
/* The newest generation is refused: `before` is what was stored, `after` says why. */
void reconcile_note_refused(const struct reconcile *reconcile, const struct object *outline,
			    const json_t *before, const json_t *after);
void reconcile_note_end(const struct reconcile *reconcile, const struct tracked *item,
			enum outcome outcome);

/* The boost's end, if it has begun, is this. */
void reconcile_count_end(struct reconcile *reconcile, struct tracked *item, enum outcome outcome);

/* Storing failed or works again. */
void reconcile_stored(struct reconcile *reconcile, int r, const struct err *err);

/* What its agent does with the plan; absent when nobody knows. */
struct hub_node reconcile_node(const struct reconcile *reconcile, const char *node);

/* What is stored as its status, or NULL; borrowed. */
const json_t *reconcile_stored_status(const struct reconcile *reconcile,
				      const struct object *object);
const struct object *reconcile_object(const struct reconcile *reconcile,
				      const struct tracked *item);
/* Of a boost; all zeros of others. */
const struct boost_clock *reconcile_clock(const struct reconcile *reconcile,
					  const struct object *object);

#endif
