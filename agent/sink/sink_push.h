/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SINK_SINK_PUSH_H
#define AGENT_SINK_SINK_PUSH_H

/* A sink that pushes to a backend (Pyroscope, Parca), on the loop: a queue (agent/core/push/push_queue.h), a spool, and
 * at most PUSH_REQUESTS requests at a time.
 *
 * A backend that is away, slow or refuses costs options.queue.memory_max bytes and the spool's room, and nothing else:
 * what no longer fits is dropped, counted by reason and logged.  The first profiles after a pause wait up to linger_ns,
 * another time on each node, so that nodes that were started together do not push together.
 *
 * Life: sink_push_new(); sink_push_add(); sink_push_stop(); the loop until it is empty; sink_push_free(). */

#include "agent/core/push/push_queue.h"
#include "agent/sink/push_call.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

struct metrics;
struct sink_push;
struct uv_loop_s;

#define SINK_PUSH_STOP_MS 3000 /* what is left then goes to the spool */

struct sink_push_options {
	const char *name; /* "pyroscope", "parca": in metrics, logs, and the spool's directory */
	struct push_target target;
	struct push_queue_options queue;
	const char *spool_dir; /* NULL = none */
	int64_t linger_ns;
	struct metrics *metrics; /* may be NULL */
};

/* Nothing is sent yet.  The strings must outlive it.  An error of a file of credentials, or of the spool's directory; a
 * spool that another agent still uses is done without, and said so. */
must_check int sink_push_new(struct uv_loop_s *loop, const struct sink_push_options *options,
			     struct sink_push **ret_sink, struct err *err);

/* A push_record; copied. */
void sink_push_add(struct sink_push *sink, const char *ns, int64_t start_ns, const uint8_t *record,
		   size_t len);

/* Send what there is, for SINK_PUSH_STOP_MS at most, put the rest into the spool, and close all handles. */
void sink_push_stop(struct sink_push *sink);
void sink_push_free(struct sink_push *sink);

/* Set the gauges: called at scrape time. */
void sink_push_gauge(struct sink_push *sink);

#endif
