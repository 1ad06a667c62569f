/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONTROLLER_MEMORY_RIG_H
#define TESTS_UNIT_CONTROLLER_MEMORY_RIG_H

/* A reconcile that is told of objects by hand, as the API would tell; statuses are kept in memory and what
 * people are told is written down. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "controller/core/status/status_read.h"
#include "controller/reconcile/reconcile.h"
#include "lib/log.h"
#include "lib/observe/metrics.h"
#include "tests/unit/controller/world.h"

#define RIG_STATUSES 16
#define RIG_NOTES 64

struct rig_status {
	char *uid;
	json_t *json;
	int64_t generation; /* of the object it was put for */
};

struct rig {
	uv_loop_t loop;
	uv_timer_t limit;
	struct metrics *metrics;
	struct reconcile *reconcile;
	struct rig_status status[RIG_STATUSES]; /* survives a restart */
	int writes;
	char put_first[64]; /* whose status was looked at first since this was "" */
	json_t *first;	    /* what was stored first of all */
	bool on_its_way;    /* what is put is never stored */
	struct {
		enum policy_event event;
		char *uid, *text;
	} note[RIG_NOTES];
	size_t note_nr;
};

/* --- the store of statuses --- */

static inline struct rig_status *rig_status_of(struct rig *rig, const char *uid)
{
	for (size_t i = 0; i < RIG_STATUSES; i++)
		if (rig->status[i].uid && strcmp(rig->status[i].uid, uid) == 0)
			return &rig->status[i];
	for (size_t i = 0; i < RIG_STATUSES; i++)
		if (!rig->status[i].uid)
			return &rig->status[i];
	abort();
}

static inline void rig_identify(void *ctx, struct manifest_doc *doc, int64_t now_wall_s)
{
	(void)ctx;
	(void)doc;
	(void)now_wall_s;
}

static inline const json_t *rig_get(void *ctx, const struct object *object)
{
	return rig_status_of(ctx, object->uid)->json;
}

static inline int rig_put(void *ctx, const struct object *object, json_t *status, bool urgent,
			  struct err *err)
{
	struct rig *rig = ctx;
	struct rig_status *at = rig_status_of(rig, object->uid);

	(void)urgent;
	(void)err;
	if (!rig->put_first[0])
		snprintf(rig->put_first, sizeof(rig->put_first), "%s", object->name);
	if (rig->on_its_way)
		return -EINPROGRESS;
	if (status_equal(at->json, status))
		return 0;
	if (rig->writes++ == 0)
		rig->first = json_incref(status);
	free(at->uid);
	json_decref(at->json);
	*at = (struct rig_status){ xstrdup(object->uid), json_incref(status), object->generation };
	return 0;
}

static inline void rig_remove(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	(void)ctx;
	(void)kind;
	(void)ns;
	(void)name;
}

static inline void rig_sweep(void *ctx)
{
	(void)ctx;
}

/* --- life --- */

static inline void rig_on_note(void *ctx, enum policy_event event, const struct object *object,
			       const char *text)
{
	struct rig *rig = ctx;

	if (rig->note_nr == RIG_NOTES)
		abort();
	rig->note[rig->note_nr].event = event;
	rig->note[rig->note_nr].uid = xstrdup(object->uid);
	rig->note[rig->note_nr++].text = xstrdup(text);
}

static inline void rig_start(struct rig *rig)
{
	static const struct status_store_ops ops = {
		.identify = rig_identify,
		.get = rig_get,
		.put = rig_put,
		.remove = rig_remove,
		.sweep = rig_sweep,
	};
	const struct status_store store = { .ops = &ops, .ctx = rig };

	rig->metrics = metrics_new();
	rig->reconcile = reconcile_new(&rig->loop, NULL, &store, rig->metrics);
	reconcile_set_notes(rig->reconcile, rig_on_note, rig);
}

static inline void rig_on_limit(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

static inline void rig_run(struct rig *rig, uint64_t ms)
{
	bool over = false;

	rig->limit.data = &over;
	uv_timer_start(&rig->limit, rig_on_limit, ms, 0);
	while (!over)
		uv_run(&rig->loop, UV_RUN_ONCE);
}

static inline void rig_stop(struct rig *rig)
{
	reconcile_close(rig->reconcile);
	rig_run(rig, 2);
	metrics_free(rig->metrics);
}

static inline void rig_forget_notes(struct rig *rig)
{
	for (size_t i = 0; i < rig->note_nr; i++) {
		free(rig->note[i].uid);
		free(rig->note[i].text);
	}
	rig->note_nr = 0;
}

static inline int rig_setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	log_setup(LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
	uv_loop_init(&rig->loop);
	uv_timer_init(&rig->loop, &rig->limit);
	rig_start(rig);
	*state = rig;
	return 0;
}

static inline int rig_teardown(void **state)
{
	struct rig *rig = *state;

	rig_stop(rig);
	uv_close((uv_handle_t *)&rig->limit, NULL);
	uv_run(&rig->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&rig->loop) != 0)
		abort();
	rig_forget_notes(rig);
	json_decref(rig->first);
	for (size_t i = 0; i < RIG_STATUSES; i++) {
		free(rig->status[i].uid);
		json_decref(rig->status[i].json);
	}
	free(rig);
	return 0;
}

/* --- what the API tells --- */

/* A ProfilingPolicy payments/p; `spec` is JSON. */
static inline json_t *rig_policy(const char *uid, int64_t generation, const char *spec)
{
	json_t *json = json_pack("{ss ss s{ss ss ss sI}}", "apiVersion", PROFILING_API_VERSION,
				 "kind", "ProfilingPolicy", "metadata", "name", "p", "namespace",
				 "payments", "uid", uid, "generation", (json_int_t)generation);

	json_object_set_new(json, "spec", json_loads(spec, JSON_DECODE_ANY, NULL));
	return json;
}

/* It comes, good or not; `json` is released.  What follows has settled when this returns. */
static inline void rig_comes(struct rig *rig, json_t *json)
{
	const struct source_sink sink = reconcile_sink(rig->reconcile);
	struct manifest_doc doc = { .has_created = true };
	struct object *outline = NULL;
	struct err err = ERR_INIT;

	if (object_from_json(json, &doc.object, &err) == 0)
		sink.apply(sink.ctx, &doc);
	else if (object_outline(json, OBJECT_POLICY, &outline) == 0)
		sink.refuse(sink.ctx, outline, err.text);
	else
		abort();
	json_decref(json);
	sink.settled(sink.ctx);
	rig_run(rig, 20);
}

static inline void rig_goes(struct rig *rig)
{
	const struct source_sink sink = reconcile_sink(rig->reconcile);

	sink.remove(sink.ctx, OBJECT_POLICY, "payments", "p");
	sink.settled(sink.ctx);
	rig_run(rig, 20);
}

static inline double rig_metric(const struct rig *rig, const char *name)
{
	cleanup(freep) char *text = metrics_render(rig->metrics, NULL);
	cleanup(freep) char *line = xasprintf("\n%s ", name);
	const char *found = strstr(text, line);

	return found ? strtod(found + strlen(line), NULL) : -1;
}

/* The rate that is in force of it, -1 = none. */
static inline int rig_rate(const struct rig *rig)
{
	const struct object *object =
		store_find(reconcile_store(rig->reconcile), OBJECT_POLICY, "payments", "p");

	return object ? (int)object->policy.rate_hz : -1;
}

#endif
