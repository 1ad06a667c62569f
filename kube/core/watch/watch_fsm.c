/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/watch/watch_fsm.h"

#include <string.h>

#include "kube/core/watch/watch_priv.h"

#define SHORT_NS NSEC_PER_SEC /* a watch that ends sooner, with nothing in it, is suspicious */
#define TIMEOUT_MIN_S 300
#define INTERNAL_ERRORS_MAX 5 /* then a list */

void watch_init(struct watch_state *state)
{
	*state = (struct watch_state){ .next = WATCH_ASK_STREAM, .timeout_min_s = TIMEOUT_MIN_S };
}

/* --- a stream --- */

static struct watch_do on_object(struct watch_state *state, const struct watch_event *event,
				 int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo = { 0 };
	bool gone = event->type == WATCH_DELETED;

	watch_healthy(state, now_ns);
	state->events++;
	state->internal_errors = 0;
	todo.remove = gone;
	todo.put = !gone;
	if (state->now == WATCH_ASK_STREAM)
		return todo;
	if (event->type != WATCH_ADDED)
		state->ordered = true;
	if (!state->ordered || !event->resource_version)
		return todo;
	if (watch_version_compare(event->resource_version, state->resource_version) < 0) {
		/* The server's history is another one: it was restored from a backup. */
		state->version_void = true;
		todo = watch_wait_anew(state, WATCH_ASK_LIST, 0, rnd, "versions go back");
		todo.remove = gone;
		todo.put = !gone;
		return todo;
	}
	watch_keep(state->resource_version, event->resource_version);
	return todo;
}

static struct watch_do on_bookmark(struct watch_state *state, const struct watch_event *event,
				   int64_t now_ns)
{
	struct watch_do todo = { 0 };

	watch_healthy(state, now_ns);
	state->events++;
	state->internal_errors = 0;
	if (!event->resource_version || !event->resource_version[0])
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
	watch_keep(state->resource_version, event->resource_version);
	return todo;
}

static struct watch_do fall_back(struct watch_state *state, const struct watch_event *event,
				 int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo;

	if (event->status.code == 400 || event->status.code == 403 || event->status.code == 422)
		state->list_only = true;
	todo = watch_list(state, now_ns, rnd);
	todo.why = "no streaming list, a paged one instead";
	return todo;
}

/* --- a list --- */

static struct watch_do on_page(struct watch_state *state, const struct watch_event *event,
			       int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo;

	watch_healthy(state, now_ns);
	if (event->continue_token && strlen(event->continue_token) >= sizeof(state->continue_token))
		return watch_wait_anew(state, WATCH_ASK_LIST, BACKOFF_LAST_NS, rnd,
				       "the token of a page is too long");
	if (event->continue_token && event->continue_token[0]) {
		memcpy(state->continue_token, event->continue_token,
		       strlen(event->continue_token) + 1);
		todo = watch_ask(state, WATCH_ASK_LIST, now_ns, rnd);
		state->listing = true;
		return todo;
	}
	state->continue_token[0] = '\0';
	state->whole = false;
	state->version_void = false;
	state->resource_version[0] = '\0';
	watch_keep(state->resource_version, event->resource_version);
	state->synced = true;
	todo = watch_ask(state, WATCH_ASK_WATCH, now_ns, rnd);
	todo.commit = true;
	return todo;
}

/* The version (or the page) is not to be had. */
static struct watch_do on_list_expired(struct watch_state *state, int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo;

	if (state->listing && !state->whole) {
		state->continue_token[0] = '\0';
		state->whole = true;
		todo = watch_again(state, WATCH_ASK_LIST, now_ns, rnd);
		todo.why = "a page has expired, the whole list at once";
		return todo;
	}
	if (state->version_void)
		return watch_wait_anew(state, WATCH_ASK_LIST, 0, rnd,
				       "the newest version is refused");
	state->version_void = true;
	todo = watch_list(state, now_ns, rnd);
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
		todo = watch_again(state, state->now, now_ns, rnd);
	else
		todo = watch_wait(state, state->now, 0, rnd, "not authorized (401)");
	todo.drop_token = true;
	return todo;
}

static struct watch_do on_tls(struct watch_state *state, int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo;
	bool first = !state->ca_retried;

	state->ca_retried = true;
	if (first)
		todo = watch_again(state, state->now, now_ns, rnd);
	else
		todo = watch_wait(state, state->now, 0, rnd,
				  "the server's certificate is not good");
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
	return watch_wait(state, next, event->status.retry_after_ns, rnd,
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
			return watch_list(state, now_ns, rnd);
		state->version_void = true;
		todo = watch_again(state, WATCH_ASK_STREAM, now_ns, rnd);
		break;
	default:
		todo = watch_list(state, now_ns, rnd);
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
		return watch_wait(state, resume(state), status->retry_after_ns, rnd,
				  "the server is busy (429)");
	if (state->now == WATCH_ASK_STREAM)
		return fall_back(state, event, now_ns, rnd);
	/* Either may be said for a moment by a server that has just been started. */
	if (status->code == 403) {
		state->forbidden = true;
		return watch_wait(state, resume(state), 0, rnd, "forbidden (403)");
	}
	if (status->code == 404) {
		state->missing = true;
		return watch_wait_anew(state, watch_sync_request(state), 0, rnd,
				       "there is no such resource (404)");
	}
	if (status->internal || status->code >= 500)
		return on_internal(state, event, rnd);
	return watch_wait_anew(state, WATCH_ASK_LIST, status->retry_after_ns, rnd, "refused");
}

static struct watch_do on_failed(struct watch_state *state, const struct watch_event *event,
				 int64_t now_ns, uint64_t rnd)
{
	if (event->failure == WATCH_FAIL_CONNECT)
		return watch_wait_unanswered(state, resume(state), rnd);
	if (event->failure == WATCH_FAIL_TLS)
		return on_tls(state, now_ns, rnd);
	if (state->now == WATCH_ASK_STREAM)
		return fall_back(state, event, now_ns, rnd);
	return watch_wait(state, resume(state), 0, rnd, "the request broke off");
}

/* A watch is over, by its time or before. */
static struct watch_do on_watch_over(struct watch_state *state, bool by_deadline, int64_t now_ns,
				     uint64_t rnd)
{
	if (!by_deadline && !state->events && now_ns - state->began_ns < SHORT_NS)
		return watch_wait_anew(state, WATCH_ASK_LIST, 0, rnd, "a watch ended at once");
	/* Not even a bookmark: is our version one that the server does not have (yet)? */
	if (!state->events && now_ns - state->began_ns >= state->timeout_min_s * NSEC_PER_SEC)
		return watch_again(state, WATCH_ASK_VERSION, now_ns, rnd);
	if (!by_deadline)
		watch_healthy(state, now_ns);
	return watch_again(state, WATCH_ASK_WATCH, now_ns, rnd);
}

static struct watch_do on_version(struct watch_state *state, const struct watch_event *event,
				  int64_t now_ns, uint64_t rnd)
{
	struct watch_do todo;

	if (event->resource_version &&
	    watch_version_compare(event->resource_version, state->resource_version) < 0) {
		state->version_void = true;
		todo = watch_list(state, now_ns, rnd);
		todo.why = "versions go back";
		return todo;
	}
	return watch_again(state, WATCH_ASK_WATCH, now_ns, rnd);
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
		return watch_wait(state, resume(state), 0, rnd, "no answer in time");
	}
}

struct watch_do watch_step(struct watch_state *state, const struct watch_event *event,
			   int64_t now_ns, uint64_t rnd)
{
	switch (event->type) {
	case WATCH_START:
		return watch_ask(state,
				 state->next == WATCH_ASK_STREAM ? watch_sync_request(state)
								 : state->next,
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
