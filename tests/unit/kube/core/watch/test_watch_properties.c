/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever a server does to a watch, the store ends up with the server's list.
 *
 * A small server holds objects 0..OBJECTS-1, each with a version; its history can be compacted and it can
 * go back to an earlier one.  Random faults come first, then the server behaves, and time passes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "kube/core/watch/watch_fsm.h"

#define OBJECTS 8
#define HISTORY 4096
#define SCRIPTS 3000
#define FAULTS 60

struct change {
	int object;
	bool gone;
};

struct world {
	uint64_t seed;
	int64_t now_ns;
	/* the server */
	struct change change[HISTORY]; /* change[v] made version v */
	unsigned int version, oldest;  /* watches older than `oldest` get 410 */
	int has[OBJECTS];	       /* the version of each, 0 = there is none */
	bool no_streams, went_back;
	/* the client */
	struct watch_state state;
	int store[OBJECTS];
	bool seen[OBJECTS];
	enum watch_request asked;
	unsigned int at; /* the watch has sent up to this version */
	bool listed;	 /* the stream has sent its beginning */
	unsigned int page_from, page_version;
	int64_t due_ns; /* of the deadline or the wait */
};

static uint64_t rnd(struct world *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed;
}

static void change(struct world *w)
{
	struct change c = { .object = (int)(rnd(w) % OBJECTS) };

	if (w->went_back || w->version + 1 >= HISTORY)
		return;
	c.gone = w->has[c.object] && rnd(w) % 3 == 0;
	if (!w->has[c.object] && rnd(w) % 2)
		return;
	w->version++;
	w->change[w->version] = c;
	w->has[c.object] = c.gone ? 0 : (int)w->version;
}

/* An etcd that was restored: another history, with smaller versions.  It stays behind what the client knows:
 * once it has caught up, no client can tell the histories apart. */
static void go_back(struct world *w)
{
	unsigned int known = (unsigned int)strtoul(w->state.resource_version, NULL, 10);

	if (w->went_back)
		return;
	w->version -= 15;
	memset(w->has, 0, sizeof(w->has));
	do {
		w->version++;
		w->change[w->version].object = (int)(w->version % OBJECTS);
		w->has[w->version % OBJECTS] = (int)w->version;
	} while (w->version == known);
	w->oldest = w->version;
	w->went_back = true;
}

static void ask(struct world *w, enum watch_request request)
{
	char query[WATCH_QUERY_MAX];

	w->asked = request;
	w->listed = false;
	w->at = (unsigned int)strtoul(w->state.resource_version, NULL, 10);
	watch_query(&w->state, query);
	if (request == WATCH_ASK_LIST)
		w->page_from = w->state.continue_token[0]
				       ? (unsigned int)strtoul(w->state.continue_token, NULL, 10)
				       : 0;
	if (request == WATCH_ASK_LIST && !w->page_from)
		w->page_version = w->version;
}

static void step(struct world *w, const struct watch_event *event, int object, int version)
{
	struct watch_do todo = watch_step(&w->state, event, w->now_ns, rnd(w));

	if (todo.cancel)
		w->asked = WATCH_ASK_NOTHING;
	if (todo.put && object >= 0) {
		w->store[object] = version;
		w->seen[object] = true;
	}
	if (todo.remove && object >= 0)
		w->store[object] = 0;
	if (todo.commit)
		for (int i = 0; i < OBJECTS; i++)
			if (!w->seen[i])
				w->store[i] = 0;
	if (todo.begin)
		memset(w->seen, 0, sizeof(w->seen));
	if (todo.ask) {
		ask(w, todo.ask);
		w->due_ns = w->now_ns + todo.deadline_ns;
	}
	if (todo.wait_ns) {
		assert_int_equal(todo.ask, WATCH_ASK_NOTHING);
		w->due_ns = w->now_ns + todo.wait_ns;
	}
}

static void tell(struct world *w, const struct watch_event *event)
{
	step(w, event, -1, 0);
}

static void tell_status(struct world *w, enum watch_event_type type, struct watch_status status)
{
	const struct watch_event event = { .type = type, .status = status };

	tell(w, &event);
}

static void send_object(struct world *w, enum watch_event_type type, int object, int version)
{
	char text[16];
	const struct watch_event event = { .type = type, .resource_version = text };

	snprintf(text, sizeof(text), "%d", version);
	step(w, &event, object, version);
}

static void send_bookmark(struct world *w, bool initial_end)
{
	char text[16];
	const struct watch_event event = { .type = WATCH_BOOKMARK,
					   .resource_version = text,
					   .initial_end = initial_end };

	snprintf(text, sizeof(text), "%u", w->version);
	tell(w, &event);
}

/* --- a server that behaves --- */

static void serve_changes(struct world *w)
{
	while (w->asked == WATCH_ASK_WATCH && w->at < w->version) {
		const struct change *c = &w->change[++w->at];

		send_object(w, c->gone ? WATCH_DELETED : WATCH_PUT, c->object, (int)w->at);
	}
}

static void serve_watch(struct world *w)
{
	if (w->at > w->version)
		return; /* 200, and silence */
	if (w->at < w->oldest)
		tell_status(w, WATCH_ERROR, (struct watch_status){ .code = 410, .expired = true });
	else
		serve_changes(w);
}

static void serve_stream(struct world *w)
{
	if (w->no_streams) {
		tell_status(w, WATCH_REFUSED_HTTP, (struct watch_status){ .code = 422 });
		return;
	}
	if (w->state.resource_version[0] && !w->state.version_void && w->at > w->version) {
		tell_status(w, WATCH_REFUSED_HTTP,
			    (struct watch_status){ .code = 504, .too_large = true });
		return;
	}
	for (int i = 0; i < OBJECTS && w->asked == WATCH_ASK_STREAM; i++)
		if (w->has[i])
			send_object(w, WATCH_ADDED, i, w->has[i]);
	w->at = w->version;
	send_bookmark(w, true);
	w->asked = WATCH_ASK_WATCH; /* the same stream goes on */
}

static void serve_list(struct world *w)
{
	char version[16], token[16] = "";
	struct watch_event page = { .type = WATCH_PAGE,
				    .resource_version = version,
				    .continue_token = token };
	unsigned int to = MIN(w->page_from + 3, OBJECTS);
	const struct watch_event item = { .type = WATCH_ITEM };

	if (w->state.from[0] && strtoul(w->state.from, NULL, 10) > w->version) {
		tell_status(w, WATCH_REFUSED_HTTP,
			    (struct watch_status){ .code = 504, .too_large = true });
		return;
	}
	if (w->state.whole)
		to = OBJECTS;
	for (unsigned int i = w->page_from; i < to; i++)
		if (w->has[i])
			step(w, &item, (int)i, w->has[i]);
	/* A real server pages over a snapshot; here the version of the first page makes the watch
	 * tell again what changed since. */
	snprintf(version, sizeof(version), "%u", w->page_version);
	if (to < OBJECTS)
		snprintf(token, sizeof(token), "%u", to);
	tell(w, &page);
}

static void serve_version(struct world *w)
{
	char version[16];
	const struct watch_event page = { .type = WATCH_PAGE, .resource_version = version };

	snprintf(version, sizeof(version), "%u", w->version);
	tell(w, &page);
}

static void serve(struct world *w)
{
	switch (w->asked) {
	case WATCH_ASK_STREAM:
		serve_stream(w);
		break;
	case WATCH_ASK_LIST:
		serve_list(w);
		break;
	case WATCH_ASK_WATCH:
		serve_watch(w);
		break;
	case WATCH_ASK_VERSION:
		serve_version(w);
		break;
	case WATCH_ASK_NOTHING:
		break;
	}
}

static void pass_time(struct world *w)
{
	const struct watch_event event = {
		.type = w->asked == WATCH_ASK_NOTHING ? WATCH_START : WATCH_DEADLINE,
	};

	w->now_ns = MAX(w->now_ns, w->due_ns);
	tell(w, &event);
}

/* --- and one that does not --- */

static void fault(struct world *w)
{
	static const struct watch_status refusal[] = {
		{ .code = 401 },
		{ .code = 403 },
		{ .code = 404 },
		{ .code = 410, .expired = true },
		{ .code = 429, .retry_after_ns = NSEC_PER_SEC },
		{ .code = 500, .internal = true },
		{ .code = 503, .retry_after_ns = 5 * NSEC_PER_SEC },
		{ .code = 504, .too_large = true },
		{ .code = 418 },
	};
	const struct watch_status *status = &refusal[rnd(w) % ARRAY_SIZE(refusal)];
	struct watch_event event = { .type = WATCH_FAILED };
	bool stream = w->asked == WATCH_ASK_WATCH || w->asked == WATCH_ASK_STREAM;

	switch (rnd(w) % 8) {
	case 0:
		tell_status(w, WATCH_REFUSED_HTTP, *status);
		break;
	case 1:
		tell_status(w, stream ? WATCH_ERROR : WATCH_REFUSED_HTTP, *status);
		break;
	case 2:
		event.failure = (enum watch_failure)(rnd(w) % 3);
		tell(w, &event);
		break;
	case 3:
		event.type = WATCH_ENDED;
		w->now_ns += (int64_t)(rnd(w) % 3) * NSEC_PER_SEC;
		if (stream)
			tell(w, &event);
		break;
	case 4:
		event.type = WATCH_STRANGE;
		if (stream)
			tell(w, &event);
		break;
	case 5:
		w->oldest = w->version;
		break;
	case 6:
		if (rnd(w) % 4 == 0)
			go_back(w);
		break;
	default:
		/* Some of the beginning of a stream, and then nothing. */
		if (w->asked == WATCH_ASK_STREAM && w->has[0])
			send_object(w, WATCH_ADDED, 0, w->has[0]);
	}
}

static void misbehave(struct world *w)
{
	for (int i = 0; i < FAULTS; i++) {
		w->now_ns += (int64_t)(rnd(w) % 1000) * NSEC_PER_MSEC;
		for (uint64_t n = rnd(w) % 3; n; n--)
			change(w);
		if (w->asked == WATCH_ASK_NOTHING)
			pass_time(w);
		else if (rnd(w) % 2)
			fault(w);
		else
			serve(w);
	}
}

static void run(uint64_t seed)
{
	struct world w = { .seed = seed * 0x9e3779b97f4a7c15ULL + 1, .oldest = 1, .version = 100 };

	w.oldest = w.version;
	w.no_streams = seed % 3 == 0;
	watch_init(&w.state);
	pass_time(&w);
	misbehave(&w);
	/* Now it behaves.  Silence and deadlines, waits and checks: an hour is enough for all of them. */
	for (int i = 0; i < 40; i++) {
		for (int n = 0; n < 8; n++)
			serve(&w);
		pass_time(&w);
	}
	for (int n = 0; n < 8; n++)
		serve(&w);
	if (memcmp(w.store, w.has, sizeof(w.store)) != 0)
		fail_msg("script %llu: the store is not the server's list",
			 (unsigned long long)seed);
}

static void after_any_faults_the_store_is_the_servers_list(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SCRIPTS; seed++)
		run(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_any_faults_the_store_is_the_servers_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
