/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SINK_PUSH_REPORT_H
#define AGENT_SINK_PUSH_REPORT_H

/* What a person sees of a sink that pushes: its metrics, and a line of the log when trouble begins, once a minute while it
 * lasts, and when it is over. */

#include "agent/core/push/push_queue.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

struct metric;
struct metrics;

struct push_report {
	struct metrics *metrics;
	const char *sink;
	struct metric *sent, *sent_bytes, *seconds, *last_success;
	struct metric *gone[PUSH_GONE_NR];
	bool trouble;	       /* that the log speaks of */
	int64_t trouble_ns;    /* when it last did */
	uint64_t dropped;      /* all */
	uint64_t dropped_told; /* of these, that the log speaks of */
	int64_t dropped_ns;    /* when it last did */
};

void push_report_init(struct push_report *report, struct metrics *metrics, const char *sink);

/* A profile has left the queue. */
void push_report_gone(struct push_report *report, const struct push_entry *entry,
		      enum push_gone why, int64_t now_ns);

/* A request is over. */
void push_report_answer(struct push_report *report, const struct push_verdict *verdict,
			const char *tenant, int64_t began_ns, int64_t now_ns);

void push_report_gauges(struct push_report *report, const struct push_queue_stats *stats);

#endif
