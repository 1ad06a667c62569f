/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sink/sink_push.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

#include "agent/core/push/push_record.h"
#include "agent/sink/push_report.h"
#include "agent/sink/push_spool.h"
#include "lib/curl_loop.h"
#include "lib/log.h"
#include "lib/loop.h"

#define EXPIRE_NS (30 * NSEC_PER_SEC)
#define WAIT_MAX_MS 60000

struct request {
	struct sink_push *sink;
	struct push_call *call; /* NULL = none */
	struct push_batch batch;
	int64_t began_ns;
};

struct sink_push {
	struct sink_push_options options;
	struct push_queue *queue;
	struct push_spool *spool; /* NULL = none */
	struct curl_loop *curl;
	struct request request[PUSH_REQUESTS];
	struct push_report report;
	uv_timer_t timer;
	int64_t linger_ns, hold_until_ns;
	int64_t expired_ns;
	int64_t stop_at_ns; /* 0 = not stopping */
	bool closed;
};

/* --- the spool --- */

static struct push_spool_key key_of(const struct push_entry *entry)
{
	return (struct push_spool_key){ push_entry_ns(entry), entry->start_ns, entry->seq };
}

static int64_t on_spill(void *ctx, const struct push_entry *entry)
{
	struct sink_push *sink = ctx;
	struct push_spool_key key = key_of(entry);

	return push_spool_write(sink->spool, &key, entry->data, entry->len, NULL);
}

static void on_gone(void *ctx, const struct push_entry *entry, enum push_gone why)
{
	struct sink_push *sink = ctx;
	struct push_spool_key key = key_of(entry);

	if (entry->spool_bytes)
		push_spool_remove(sink->spool, &key);
	push_report_gone(&sink->report, entry, why, now_boot_ns());
}

static void on_found(void *ctx, const char *ns, int64_t start_ns, uint64_t seq, size_t bytes)
{
	struct sink_push *sink = ctx;

	push_queue_add_spooled(sink->queue, ns, start_ns, seq, bytes);
}

static int load(struct sink_push *sink, struct push_entry *entry)
{
	struct push_spool_key key = key_of(entry);
	struct err err = ERR_INIT;
	uint8_t *data;
	size_t len;
	int r;

	if (entry->data)
		return 0;
	r = push_spool_read(sink->spool, &key, &data, &len, &err);
	if (r == 0)
		push_queue_loaded(sink->queue, entry, data, len);
	else
		log_warn("a profile of the spool is lost", LOG_STR("sink", sink->options.name),
			 LOG_ERR(&err));
	return r;
}

/* Every profile of the batch as a record; what cannot be had is gone from it. */
static void read_batch(struct sink_push *sink, struct push_batch *batch,
		       struct push_record record[PUSH_BATCH])
{
	for (size_t i = 0; i < batch->nr;) {
		struct push_entry *entry = batch->entry[i];

		if (load(sink, entry) == 0 &&
		    push_record_parse(entry->data, entry->len, &record[i], NULL) == 0)
			i++;
		else
			push_queue_lost(sink->queue, batch, i);
	}
}

/* --- requests --- */

static void on_timer(uv_timer_t *timer);

static void arm_in(struct sink_push *sink, uint64_t wait_ms)
{
	uv_timer_start(&sink->timer, on_timer, wait_ms, 0);
}

static bool is_over(const struct sink_push *sink, int64_t now_ns)
{
	struct push_queue_stats stats;

	push_queue_stats(sink->queue, &stats);
	return sink->stop_at_ns && (stats.nr == 0 || now_ns >= sink->stop_at_ns);
}

/* When there is something to do. */
static void arm(struct sink_push *sink)
{
	int64_t now_ns = now_boot_ns();
	int64_t due_ns = push_queue_due(sink->queue, now_ns);

	if (sink->closed)
		return;
	if (due_ns != INT64_MAX && !sink->stop_at_ns)
		due_ns = MAX(due_ns, sink->hold_until_ns);
	if (sink->stop_at_ns)
		due_ns = MIN(due_ns, is_over(sink, now_ns) ? now_ns : sink->stop_at_ns);
	due_ns = MIN(due_ns, now_ns + WAIT_MAX_MS * NSEC_PER_MSEC);
	arm_in(sink, (uint64_t)(MAX(due_ns - now_ns, 0) + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

static void settle(struct request *request, const struct push_verdict *verdict)
{
	struct sink_push *sink = request->sink;
	int64_t now_ns = now_boot_ns();

	if (request->batch.nr)
		push_report_answer(&sink->report, verdict, request->batch.tenant, request->began_ns,
				   now_ns);
	push_queue_settle(sink->queue, &request->batch, verdict, now_ns, random_u64());
}

static struct request *free_request(struct sink_push *sink)
{
	for (size_t i = 0; i < PUSH_REQUESTS; i++)
		if (!sink->request[i].call)
			return &sink->request[i];
	return NULL;
}

/* One request, if one is due.  More are begun in later turns of the loop. */
static void begin(struct sink_push *sink)
{
	struct push_verdict verdict = { .outcome = PUSH_UNREACHABLE };
	struct request *request = free_request(sink);
	struct push_record record[PUSH_BATCH];
	uint8_t *body;
	size_t len;

	if (!request ||
	    !push_queue_take(sink->queue, now_boot_ns(), now_wall_ns(), &request->batch))
		return;
	request->began_ns = now_boot_ns();
	read_batch(sink, &request->batch, record);
	if (request->batch.nr == 0) {
		settle(request, &verdict);
		return;
	}
	body = push_body(sink->options.target.wire, record, request->batch.nr, &len);
	if (push_call_new(&sink->options.target, request->batch.tenant, body, len, &request->call,
			  &verdict.why) < 0) {
		settle(request, &verdict);
		return;
	}
	curl_easy_setopt(push_call_easy(request->call), CURLOPT_PRIVATE, request);
	curl_multi_add_handle(curl_loop_multi(sink->curl), push_call_easy(request->call));
}

static void end_call(struct request *request)
{
	curl_multi_remove_handle(curl_loop_multi(request->sink->curl),
				 push_call_easy(request->call));
	push_call_free(TAKE_PTR(request->call));
}

static void finish(struct request *request, CURLcode result)
{
	struct push_verdict verdict;
	struct push_answer answer;

	push_call_answer(request->call, result, &answer);
	push_verdict_of(&answer, request->batch.nr, &verdict);
	end_call(request);
	settle(request, &verdict);
}

static void on_turn(void *ctx)
{
	struct sink_push *sink = ctx;
	CURLMsg *message;
	bool over = false;
	int left;

	while ((message = curl_multi_info_read(curl_loop_multi(sink->curl), &left))) {
		char *of = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &of);
		finish((struct request *)of, message->data.result);
		over = true;
	}
	if (over)
		arm(sink);
}

/* --- the end --- */

/* What is under way is as if it had not been answered. */
static void cancel_all(struct sink_push *sink)
{
	struct push_verdict verdict = { .outcome = PUSH_UNREACHABLE };

	for (size_t i = 0; i < PUSH_REQUESTS; i++)
		if (sink->request[i].call) {
			end_call(&sink->request[i]);
			push_queue_settle(sink->queue, &sink->request[i].batch, &verdict,
					  now_boot_ns(), 0);
		}
}

static void close_all(struct sink_push *sink)
{
	struct push_queue_stats stats;

	cancel_all(sink);
	push_queue_stop(sink->queue);
	push_queue_stats(sink->queue, &stats);
	log_info("a sink has ended", LOG_STR("sink", sink->options.name),
		 LOG_UINT("kept_in_spool", stats.spool_nr),
		 LOG_UINT("dropped_total", sink->report.dropped));
	sink->closed = true;
	curl_loop_close(sink->curl);
	uv_close((uv_handle_t *)&sink->timer, NULL);
}

static void on_timer(uv_timer_t *timer)
{
	struct sink_push *sink = timer->data;
	int64_t now_ns = now_boot_ns();

	if (is_over(sink, now_ns)) {
		close_all(sink);
		return;
	}
	if (now_ns - sink->expired_ns >= EXPIRE_NS) {
		push_queue_expire(sink->queue, now_ns, now_wall_ns());
		sink->expired_ns = now_ns;
	}
	if (sink->stop_at_ns || now_ns >= sink->hold_until_ns)
		begin(sink);
	arm(sink);
}

void sink_push_stop(struct sink_push *sink)
{
	if (!sink || sink->stop_at_ns)
		return;
	sink->stop_at_ns = now_boot_ns() + SINK_PUSH_STOP_MS * NSEC_PER_MSEC;
	arm_in(sink, 0);
}

/* --- profiles --- */

void sink_push_add(struct sink_push *sink, const char *ns, int64_t start_ns, const uint8_t *record,
		   size_t len)
{
	struct push_queue_stats stats;
	uint8_t *copy = xmalloc(len);

	push_queue_stats(sink->queue, &stats);
	if (stats.nr == 0)
		sink->hold_until_ns = now_boot_ns() + sink->linger_ns;
	memcpy(copy, record, len);
	push_queue_add(sink->queue, ns, start_ns, copy, len);
	arm(sink);
}

void sink_push_gauge(struct sink_push *sink)
{
	struct push_queue_stats stats;

	push_queue_stats(sink->queue, &stats);
	push_report_gauges(&sink->report, &stats);
}

/* --- life --- */

static int open_spool(struct sink_push *sink, struct err *err)
{
	const struct sink_push_options *options = &sink->options;
	int r = 0;

	if (options->spool_dir)
		r = push_spool_open(options->spool_dir, options->name, &sink->spool, err);
	if (r == -EBUSY) {
		log_warn("no spool, what does not fit into memory is dropped",
			 LOG_STR("sink", options->name), LOG_ERR(err));
		r = 0;
	}
	return r;
}

static void make_queue(struct sink_push *sink)
{
	const struct push_queue_events events = { .spill = sink->spool ? on_spill : NULL,
						  .gone = on_gone };
	struct push_queue_stats stats;

	sink->queue = push_queue_new(&sink->options.queue, &events, sink);
	if (!sink->spool)
		return;
	push_spool_each(sink->spool, on_found, sink);
	push_queue_stats(sink->queue, &stats);
	if (stats.nr)
		log_info("profiles of the spool are sent", LOG_STR("sink", sink->options.name),
			 LOG_UINT("profiles", stats.nr), LOG_UINT("bytes", stats.spool_bytes));
}

int sink_push_new(struct uv_loop_s *loop, const struct sink_push_options *options,
		  struct sink_push **ret_sink, struct err *err)
{
	struct sink_push *sink;
	int r = push_target_check(&options->target, err);

	if (r < 0)
		return r;
	sink = xcalloc(1, sizeof(*sink));
	sink->options = *options;
	push_report_init(&sink->report, options->metrics, options->name);
	r = open_spool(sink, err);
	if (r < 0) {
		free(sink);
		return r;
	}
	make_queue(sink);
	/* Counted by libcurl: whoever else uses it is not disturbed. */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	sink->curl = curl_loop_new(loop, on_turn, sink);
	for (size_t i = 0; i < PUSH_REQUESTS; i++)
		sink->request[i].sink = sink;
	sink->linger_ns =
		options->linger_ns ? (int64_t)(random_u64() % (uint64_t)options->linger_ns) : 0;
	sink->hold_until_ns = now_boot_ns() + sink->linger_ns;
	uv_timer_init(loop, &sink->timer);
	sink->timer.data = sink;
	arm(sink);
	*ret_sink = sink;
	return 0;
}

void sink_push_free(struct sink_push *sink)
{
	if (!sink)
		return;
	push_queue_free(sink->queue);
	push_spool_free(sink->spool);
	free(sink);
}
