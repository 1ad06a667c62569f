/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sink/push_report.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/metrics.h"

#define TELL_AGAIN_NS (60 * NSEC_PER_SEC)

static const double bound[] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30 };

static const char *const reason[PUSH_GONE_NR] = {
	[PUSH_SENT] = "",
	[PUSH_DROPPED_QUEUE_FULL] = "queue_full",
	[PUSH_DROPPED_SPOOL_FULL] = "spool_full",
	[PUSH_DROPPED_SPOOL_FAILED] = "spool_failed",
	[PUSH_DROPPED_TOO_OLD] = "too_old",
	[PUSH_DROPPED_REJECTED] = "rejected",
	[PUSH_DROPPED_TOO_LARGE] = "too_large",
	[PUSH_DROPPED_FAILING] = "failing",
	[PUSH_DROPPED_STOPPED] = "stopped",
};

static const char *result_of(enum push_outcome outcome)
{
	static const char *const result[] = {
		[PUSH_OK] = "ok",
		[PUSH_PARTIAL] = "partial",
		[PUSH_RATE_LIMITED] = "rate_limited",
		[PUSH_REJECTED] = "rejected",
		[PUSH_TOO_OLD] = "too_old",
		[PUSH_TOO_LARGE] = "too_large",
		[PUSH_REFUSED] = "refused",
		[PUSH_DOUBTFUL] = "failed",
		[PUSH_FAILED] = "failed",
		[PUSH_FAILED_LINK] = "broken",
		[PUSH_UNREACHABLE] = "unreachable",
	};

	return result[outcome];
}

void push_report_init(struct push_report *report, struct metrics *m, const char *sink)
{
	*report = (struct push_report){ .metrics = m, .sink = sink };
	report->sent = metrics_counter(m, "rubato_agent_push_profiles_total",
				       "Profiles that the backend has taken.",
				       METRIC_LABELS("sink", sink));
	report->sent_bytes = metrics_counter(m, "rubato_agent_push_bytes_total", "Their bytes.",
					     METRIC_LABELS("sink", sink));
	report->seconds = metrics_histogram(m, "rubato_agent_push_seconds",
					    "How long requests took, failed ones too.",
					    METRIC_LABELS("sink", sink), bound, ARRAY_SIZE(bound));
	report->last_success = metrics_gauge(m, "rubato_agent_push_last_success_timestamp_seconds",
					     "When the backend last took profiles; 0 = never.",
					     METRIC_LABELS("sink", sink));
	for (size_t i = PUSH_SENT + 1; i < PUSH_GONE_NR; i++)
		report->gone[i] = metrics_counter(m, "rubato_agent_push_dropped_total",
						  "Profiles that were dropped, by reason.",
						  METRIC_LABELS("sink", sink, "reason", reason[i]));
}

void push_report_gone(struct push_report *report, const struct push_entry *entry,
		      enum push_gone why, int64_t now_ns)
{
	if (why == PUSH_SENT) {
		metric_add(report->sent, 1);
		metric_add(report->sent_bytes, (double)entry->len);
		return;
	}
	metric_add(report->gone[why], 1);
	report->dropped++;
	if (report->dropped_ns && now_ns - report->dropped_ns < TELL_AGAIN_NS)
		return;
	log_warn("profiles are dropped, this is one of them", LOG_STR("sink", report->sink),
		 LOG_STR("reason", reason[why]), LOG_STR("namespace", push_entry_ns(entry)),
		 LOG_UINT("dropped_total", report->dropped),
		 LOG_UINT("since_last_told", report->dropped - report->dropped_told));
	report->dropped_ns = now_ns;
	report->dropped_told = report->dropped;
}

static void tell(struct push_report *report, const struct push_verdict *verdict, const char *tenant,
		 int64_t now_ns)
{
	if (verdict->outcome == PUSH_OK) {
		if (report->trouble)
			log_info("the backend takes profiles again", LOG_STR("sink", report->sink));
		report->trouble = false;
		return;
	}
	if (report->trouble_ns && now_ns - report->trouble_ns < TELL_AGAIN_NS)
		return;
	log_warn("profiles were not taken by the backend; what can be sent again will be",
		 LOG_STR("sink", report->sink), LOG_STR("tenant", tenant),
		 LOG_STR("result", result_of(verdict->outcome)), LOG_ERR(&verdict->why));
	report->trouble = true;
	report->trouble_ns = now_ns;
}

void push_report_answer(struct push_report *report, const struct push_verdict *verdict,
			const char *tenant, int64_t began_ns, int64_t now_ns)
{
	metric_add(metrics_counter(report->metrics, "rubato_agent_push_requests_total",
				   "Requests to the backend, by what came of them.",
				   METRIC_LABELS("sink", report->sink, "result",
						 result_of(verdict->outcome))),
		   1);
	metric_observe(report->seconds, (double)(now_ns - began_ns) / NSEC_PER_SEC);
	if (verdict->outcome == PUSH_OK)
		metric_set(report->last_success, (double)now_wall_ns() / NSEC_PER_SEC);
	tell(report, verdict, tenant, now_ns);
}

static void set(struct push_report *report, const char *name, const char *help, double value)
{
	metric_set(metrics_gauge(report->metrics, name, help, METRIC_LABELS("sink", report->sink)),
		   value);
}

void push_report_gauges(struct push_report *report, const struct push_queue_stats *stats)
{
	set(report, "rubato_agent_push_queue_profiles", "Profiles that wait, in memory or spool.",
	    (double)stats->nr);
	set(report, "rubato_agent_push_queue_bytes", "Memory that they take.",
	    (double)stats->memory_bytes + (double)stats->nr * PUSH_ENTRY_BYTES);
	set(report, "rubato_agent_push_spool_profiles", "Of these, in the spool.",
	    (double)stats->spool_nr);
	set(report, "rubato_agent_push_spool_bytes", "What they take of the disk.",
	    (double)stats->spool_bytes);
}
