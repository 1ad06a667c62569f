/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_OBSERVE_METRICS_H
#define LIB_OBSERVE_METRICS_H

/* Counters, gauges and histograms, rendered as Prometheus text format 0.0.4.
 *
 *	struct metric *lost = metrics_counter(m, "rubato_agent_lost_total",
 *		"Samples lost, by reason.", METRIC_LABELS("reason", "map_full"));
 *	metric_add(lost, 1);
 *
 * A family is a name; a series is a name and label values.  Asking again for a series that exists returns the
 * same one, so that a caller need not keep it (though keeping it is free of look-ups).  A family has at
 * most METRIC_SERIES_MAX series; beyond that, new label values are folded into one series whose label values are
 * all "other", so that an outsider cannot make it grow.  Names and label keys are constants of ours
 * (asserted); label values are copied and escaped.
 *
 * Units are base units (seconds, bytes), counters end in _total (asserted).  One thread.
 */

#include "lib/core/base.h"

struct metrics;
struct metric;

#define METRIC_SERIES_MAX 256
#define METRIC_LABELS_MAX 4
#define METRIC_BUCKETS_MAX 24

struct metric_labels {
	const char *pair[2 * METRIC_LABELS_MAX]; /* key, value, key, value, ..., NULL */
};

#define METRIC_LABELS(...) ((struct metric_labels){ .pair = { __VA_ARGS__ } })
#define METRIC_NO_LABELS ((struct metric_labels){ .pair = { NULL } })

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/* Never NULL; owned by the registry.  `m` may be NULL: the series is then a shared one that nobody renders,
 * so that a module whose `metrics` option is NULL need not ask. */
struct metric *metrics_counter(struct metrics *m, const char *name, const char *help,
			       struct metric_labels labels);
struct metric *metrics_gauge(struct metrics *m, const char *name, const char *help,
			     struct metric_labels labels);
/* `bound` are the upper bounds of the buckets, rising, without +Inf; copied. */
struct metric *metrics_histogram(struct metrics *m, const char *name, const char *help,
				 struct metric_labels labels, const double *bound, size_t bound_nr);

void metric_add(struct metric *metric, double by); /* counter (by >= 0) and gauge */
/* One more in a counter whose one label varies; its value may come from an outsider. */
void metrics_count(struct metrics *m, const char *name, const char *help, const char *key,
		   const char *value);
void metric_set(struct metric *metric, double value); /* gauge; counter that is counted elsewhere */
void metric_observe(struct metric *metric, double value);
double metric_get(const struct metric *metric); /* of a histogram: the sum */

/* Forget a series, e.g. of an object that is no more.  Handles to it are dead. */
void metrics_drop(struct metrics *m, const char *name, struct metric_labels labels);

/* Call `collect` before each rendering, to set what is read at scrape time. */
void metrics_on_scrape(struct metrics *m, void (*collect)(void *ctx), void *ctx);

/* process_cpu_seconds_total, process_resident_memory_bytes, process_start_time_seconds, process_open_fds,
 * process_max_fds, and NAME_build_info{version} = 1, e.g. "rubato_agent". */
void metrics_add_process(struct metrics *m, const char *prefix, const char *version);

/* The whole text, NUL-terminated; free() it.  ret_len may be NULL. */
char *metrics_render(struct metrics *m, size_t *ret_len);

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
