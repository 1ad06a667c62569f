/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/watch_fsm.h"

#include <string.h>

#define BACKOFF_FIRST_NS (800 * NSEC_PER_MSEC)
#define BACKOFF_LAST_NS (30 * NSEC_PER_SEC)
#define HEALTHY_NS (120 * NSEC_PER_SEC)
#define SHORT_NS NSEC_PER_SEC /* a watch that ends sooner, with nothing in it, is suspicious */
#define TIMEOUT_MIN_S 300     /* of a watch; up to twice that */
#define GRACE_MIN_NS (5 * NSEC_PER_SEC)
#define GRACE_SPAN_NS (10 * NSEC_PER_SEC)
#define LIST_NS (120 * NSEC_PER_SEC) /* the server gives up after 60 s itself */
#define ASK_NS (30 * NSEC_PER_SEC)
#define INTERNAL_ERRORS_MAX 5 /* then a list */

void watch_init(struct watch_state *state)
{
	*state = (struct watch_state){ .next = WATCH_ASK_STREAM };
}

static void keep(char ret[WATCH_VERSION_MAX], const char *version)
{
	if (version && strlen(version) < WATCH_VERSION_MAX)
		memcpy(ret, version, strlen(version) + 1);
}

/* --- what to ask next --- */

static struct watch_do ask(struct watch_state *state, enum watch_request request, int64_t now_ns,
			   uint64_t rnd)
{
	struct watch_do todo = { .ask = request };

	state->now = request;
	state->next = WATCH_ASK_NOTHING;
	state->began_ns = now_ns;
	state->events = 0;
	state->timeout_s = TIMEOUT_MIN_S + (int64_t)(rnd % (TIMEOUT_MIN_S + 1));
	todo.deadline_ns = ASK_NS;
	if (request == WATCH_ASK_STREAM || request == WATCH_ASK_WATCH)
		todo.deadline_ns = state->timeout_s * NSEC_PER_SEC + GRACE_MIN_NS +
				   (int64_t)((rnd >> 32) % GRACE_SPAN_NS);
	if (request == WATCH_ASK_LIST)
		todo.deadline_ns = LIST_NS;
	state->ordered =
		request == WATCH_ASK_WATCH && state->version[0] && strcmp(state->version, "0") != 0;
	if (request == WATCH_ASK_LIST && !state->token[0]) {
		state->listing = false;
		if (!state->whole) {
			keep(state->from, state->version[0] ? state->version : "0");
			if (state->version_void)
				state->from[0] = '\0';
		}
	}
	todo.begin = request == WATCH_ASK_STREAM || (request == WATCH_ASK_LIST && !state->token[0]);
	return todo;
}

static struct watch_do again(struct watch_state *state, enum watch_request request, int64_t now_ns,
			     uint64_t rnd)
{
	struct watch_do todo = ask(state, request, now_ns, rnd);

	todo.cancel = true;
	return todo;
}

/* Begin a list from its first page. */
static struct watch_do list(struct watch_state *state, int64_t now_ns, uint64_t rnd)
{
	state->token[0] = '\0';
	state->whole = false;
	return again(state, WATCH_ASK_LIST, now_ns, rnd);
}

static struct watch_do wait_then(struct watch_state *state, enum watch_request next,
				 int64_t at_least_ns, uint64_t rnd, const char *why)
{
	struct watch_do todo = { .cancel = true, .why = why };
	int64_t wait_ns = BACKOFF_FIRST_NS;

	for (uint32_t i = 0; i < state->failures && wait_ns < BACKOFF_LAST_NS; i++)
		wait_ns *= 2;
	wait_ns = MIN(wait_ns, BACKOFF_LAST_NS);
	if (wait_ns < BACKOFF_LAST_NS)
		state->failures++;
	wait_ns += (int64_t)(rnd % (uint64_t)wait_ns);
	todo.wait_ns = MAX(wait_ns, at_least_ns);
	state->healthy_ns = 0;
	state->now = WATCH_ASK_NOTHING;
	state->next = next;
	return todo;
}

/* The pages that came are worth nothing: after the wait, `next` begins from the start.  (Else a list goes on
 * with the page that it waited for.) */
static struct watch_do wait_then_anew(struct watch_state *state, enum watch_request next,
				      int64_t at_least_ns, uint64_t rnd, const char *why)
{
	state->token[0] = '\0';
	state->whole = false;
	return wait_then(state, next, at_least_ns, rnd, why);
}

static enum watch_request sync_request(const struct watch_state *state)
{
	return state->list_only ? WATCH_ASK_LIST : WATCH_ASK_STREAM;
}

/* Something good came: after a while of that, the next failure is the first again. */
static void healthy(struct watch_state *state, int64_t now_ns)
{
	state->token_retried = state->ca_retried = false;
	state->forbidden = state->missing = false;
	if (!state->healthy_ns)
		state->healthy_ns = now_ns;
	if (now_ns - state->healthy_ns >= HEALTHY_NS)
		state->failures = 0;
}

/* --- a stream --- */

static struct watch_do on_object(struct watch_state *state, const struct watch_event *event,
				 int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo = { 0 };
	bool gone = event->type == WATCH_DELETED;

	healthy(state, now_ns);
	state->events++;
	state->internal_errors = 0;
	todo.remove = gone;
	todo.put = !gone;
	if (state->now == WATCH_ASK_STREAM)
		return todo;
	if (event->type != WATCH_ADDED)
		state->ordered = true;
	if (!state->ordered || !event->version)
		return todo;
	if (watch_version_compare(event->version, state->version) < 0) {
		/* The server's history is another one: it was restored from a backup. */
		state->version_void = true;
		todo = wait_then_anew(state, WATCH_ASK_LIST, 0, rnd, "versions go back");
		todo.remove = gone;
		todo.put = !gone;
		return todo;
	}
	keep(state->version, event->version);
	return todo;
}

static struct watch_do on_bookmark(struct watch_state *state, const struct watch_event *event,
				   int64_t now_ns)
{
	struct watch_do todo = { 0 };

	healthy(state, now_ns);
	state->events++;
	state->internal_errors = 0;
	if (!event->version || !event->version[0])
		return todo;
	if (state->now == WATCH_ASK_STREAM) {
		if (!event->initial_end)
			return todo;
		/* The same stream goes on as a watch. */
		state->now = WATCH_ASK_WATCH;
		state->version_void = false;
		state->synced = todo.commit = true;
	}
	state->ordered = true;
	keep(state->version, event->version);
	return todo;
}

static struct watch_do fall_back(struct watch_state *state, const struct watch_event *event,
				 int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo;

	if (event->status.code == 400 || event->status.code == 403 || event->status.code == 422)
		state->list_only = true;
	todo = list(state, now_ns, rnd);
	todo.why = "no streaming list, a paged one instead";
	return todo;
}

/* --- a list --- */

static struct watch_do on_page(struct watch_state *state, const struct watch_event *event,
			       int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo;

	healthy(state, now_ns);
	if (event->token && strlen(event->token) >= sizeof(state->token))
		return wait_then_anew(state, WATCH_ASK_LIST, BACKOFF_LAST_NS, rnd,
				      "the token of a page is too long");
	if (event->token && event->token[0]) {
		memcpy(state->token, event->token, strlen(event->token) + 1);
		todo = ask(state, WATCH_ASK_LIST, now_ns, rnd);
		state->listing = true;
		return todo;
	}
	state->token[0] = '\0';
	state->whole = false;
	state->version_void = false;
	state->version[0] = '\0';
	keep(state->version, event->version);
	state->synced = true;
	todo = ask(state, WATCH_ASK_WATCH, now_ns, rnd);
	todo.commit = true;
	return todo;
}

/* The version (or the page) is not to be had. */
static struct watch_do on_list_expired(struct watch_state *state, int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo;

	if (state->listing && !state->whole) {
		state->token[0] = '\0';
		state->whole = true;
		todo = again(state, WATCH_ASK_LIST, now_ns, rnd);
		todo.why = "a page has expired, the whole list at once";
		return todo;
	}
	if (state->version_void)
		return wait_then_anew(state, WATCH_ASK_LIST, 0, rnd,
				      "the newest version is refused");
	state->version_void = true;
	todo = list(state, now_ns, rnd);
	todo.why = "the version has expired";
	return todo;
}

/* --- what is the same for all requests --- */

static struct watch_do on_unauthorized(struct watch_state *state, int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo;
	bool first = !state->token_retried;

	state->token_retried = true;
	if (first)
		todo = again(state, state->now, now_ns, rnd);
	else
		todo = wait_then(state, state->now, 0, rnd, "not authorized (401)");
	todo.drop_token = true;
	return todo;
}

static struct watch_do on_tls(struct watch_state *state, int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo;
	bool first = !state->ca_retried;

	state->ca_retried = true;
	if (first)
		todo = again(state, state->now, now_ns, rnd);
	else
		todo = wait_then(state, state->now, 0, rnd, "the server's certificate is not good");
	return todo;
}

/* Where to go on after a failure that says nothing of versions. */
static enum watch_request resume(const struct watch_state *state)
{
	return state->now == WATCH_ASK_VERSION ? WATCH_ASK_WATCH : state->now;
}

static struct watch_do on_internal(struct watch_state *state, const struct watch_event *event,
				   uint64_t rnd)
{
	enum watch_request next = WATCH_ASK_LIST;

	if (resume(state) == WATCH_ASK_WATCH && ++state->internal_errors <= INTERNAL_ERRORS_MAX)
		next = WATCH_ASK_WATCH;
	return wait_then(state, next, event->status.retry_after_ns, rnd,
			 "the server has a problem");
}

static struct watch_do on_expired(struct watch_state *state, int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo;

	switch (state->now) {
	case WATCH_ASK_LIST:
		return on_list_expired(state, now_ns, rnd);
	case WATCH_ASK_STREAM:
		if (state->version_void)
			return list(state, now_ns, rnd);
		state->version_void = true;
		todo = again(state, WATCH_ASK_STREAM, now_ns, rnd);
		break;
	default:
		todo = list(state, now_ns, rnd);
	}
	todo.why = "the version has expired";
	return todo;
}

static struct watch_do on_status(struct watch_state *state, const struct watch_event *event,
				 int64_t now_ns, uint64_t rnd)
{
	const struct watch_status *status = &event->status;

	if (status->code == 410 || status->expired || status->too_large)
		return on_expired(state, now_ns, rnd);
	if (status->code == 401)
		return on_unauthorized(state, now_ns, rnd);
	if (status->code == 429)
		return wait_then(state, resume(state), status->retry_after_ns, rnd,
				 "the server is busy (429)");
	if (state->now == WATCH_ASK_STREAM)
		return fall_back(state, event, now_ns, rnd);
	if (status->code == 403) {
		state->forbidden = true;
		return wait_then(state, resume(state), BACKOFF_LAST_NS, rnd, "forbidden (403)");
	}
	if (status->code == 404) {
		state->missing = true;
		return wait_then_anew(state, sync_request(state), BACKOFF_LAST_NS, rnd,
				      "there is no such resource (404)");
	}
	if (status->internal || status->code >= 500)
		return on_internal(state, event, rnd);
	return wait_then_anew(state, WATCH_ASK_LIST, status->retry_after_ns, rnd, "refused");
}

static struct watch_do on_failed(struct watch_state *state, const struct watch_event *event,
				 int64_t now_ns, uint64_t rnd)
{
	if (event->failure == WATCH_FAIL_CONNECT)
		return wait_then(state, resume(state), 0, rnd, "nobody answers there");
	if (event->failure == WATCH_FAIL_TLS)
		return on_tls(state, now_ns, rnd);
	if (state->now == WATCH_ASK_STREAM)
		return fall_back(state, event, now_ns, rnd);
	return wait_then(state, resume(state), 0, rnd, "the request broke off");
}

/* A watch is over, by its time or before. */
static struct watch_do on_watch_over(struct watch_state *state, bool by_deadline, int64_t now_ns,
				     uint64_t rnd)
{
	if (!by_deadline && !state->events && now_ns - state->began_ns < SHORT_NS)
		return wait_then_anew(state, WATCH_ASK_LIST, 0, rnd, "a watch ended at once");
	/* Not even a bookmark: is our version one that the server does not have (yet)? */
	if (!state->events && now_ns - state->began_ns >= TIMEOUT_MIN_S * NSEC_PER_SEC)
		return again(state, WATCH_ASK_VERSION, now_ns, rnd);
	if (!by_deadline)
		healthy(state, now_ns);
	return again(state, WATCH_ASK_WATCH, now_ns, rnd);
}

static struct watch_do on_version(struct watch_state *state, const struct watch_event *event,
				  int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo;

	if (event->version && watch_version_compare(event->version, state->version) < 0) {
		state->version_void = true;
		todo = list(state, now_ns, rnd);
		todo.why = "versions go back";
		return todo;
	}
	return again(state, WATCH_ASK_WATCH, now_ns, rnd);
}

static struct watch_do on_over(struct watch_state *state, const struct watch_event *event,
			       int64_t now_ns, uint64_t rnd)
{
	switch (state->now) {
	case WATCH_ASK_WATCH:
		return on_watch_over(state, event->type == WATCH_DEADLINE, now_ns, rnd);
	case WATCH_ASK_STREAM:
		return fall_back(state, event, now_ns, rnd);
	default:
		return wait_then(state, resume(state), 0, rnd, "no answer in time");
	}
}

struct watch_do watch_step(struct watch_state *state, const struct watch_event *event,
			   int64_t now_ns, uint64_t rnd)
{
	switch (event->type) {
	case WATCH_START:
		return ask(state,
			   state->next == WATCH_ASK_STREAM ? sync_request(state) : state->next,
			   now_ns, rnd);
	case WATCH_PUT:
	case WATCH_ADDED:
	case WATCH_DELETED:
		return on_object(state, event, now_ns, rnd);
	case WATCH_BOOKMARK:
		return on_bookmark(state, event, now_ns);
	case WATCH_STRANGE:
		state->events++;
		return (struct watch_do){ .why = "an event of an unknown kind is left out" };
	case WATCH_ITEM:
		return (struct watch_do){ .put = state->now == WATCH_ASK_LIST };
	case WATCH_PAGE:
		if (state->now == WATCH_ASK_VERSION)
			return on_version(state, event, now_ns, rnd);
		return on_page(state, event, now_ns, rnd);
	case WATCH_ERROR:
	case WATCH_REFUSED_HTTP:
		return on_status(state, event, now_ns, rnd);
	case WATCH_FAILED:
		return on_failed(state, event, now_ns, rnd);
	case WATCH_ENDED:
	case WATCH_DEADLINE:
		return on_over(state, event, now_ns, rnd);
	}
	return (struct watch_do){ 0 };
}
