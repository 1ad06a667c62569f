/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_RECONCILE_RECONCILE_H
#define CONTROLLER_RECONCILE_RECONCILE_H

/* What holds the controller together: changes of the source go into the store; a run compiles what they
 * touched, gives each node's plan to the plan sink and writes the statuses.
 *
 * A run looks at the whole state again: which boosts have no clock yet, which have ended, which nodes and
 * statuses are dirty.  A boost's clock is stored before the first plan that has it is sent; while
 * it cannot be stored, the boost does not start.  With nothing to do there are no timers and no writes.
 */

#include "controller/core/compile/compile_options.h"
#include "controller/core/session/plan_sink.h"
#include "controller/core/source/source_sink.h"
#include "controller/core/source/status_store.h"
#include "controller/core/status/policy_event.h"
#include "lib/core/base.h"

struct metrics;
struct reconcile;
struct store;
struct uv_loop_s;

/* What `statuses` and `metrics` (may be NULL) point to stays the caller's and must outlive it. */
struct reconcile *reconcile_new(struct uv_loop_s *loop, const struct compile_options *options,
				const struct status_store *statuses, struct metrics *metrics);

/* Stop; the memory goes when the loop has run its close callbacks.  Statuses that wait for their turn are
 * written. */
void reconcile_close(struct reconcile *reconcile);

/* Who brings the plans to the agents; without, nobody does.  To be called once, before the source is read.  Its ctx
 * must outlive the last turn of the loop before reconcile_close(). */
void reconcile_set_plan_sink(struct reconcile *reconcile, const struct plan_sink *sink);

/* What an agent has confirmed, or whether it is there, changed; `ctx` is the reconcile.  For hub_new(). */
void reconcile_node_changed(void *ctx, const char *node);

/* Who is told in words what happens to policies; without, nobody is.  Must not call back. */
void reconcile_set_notes(struct reconcile *reconcile,
			 void (*note)(void *ctx, enum policy_event event,
				      const struct object *object, const char *text),
			 void *ctx);

/* Where the source puts what it reads. */
struct source_sink reconcile_sink(struct reconcile *reconcile);

/* What is known of the cluster. */
const struct store *reconcile_store(const struct reconcile *reconcile);

/* False, with the reason, while statuses cannot be written. */
bool reconcile_ok(const struct reconcile *reconcile, struct err *ret_why);

#endif
