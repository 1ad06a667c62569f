/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/watch/watch_priv.h"

#include <string.h>

#define BACKOFF_FIRST_NS (800 * NSEC_PER_MSEC)
#define UNANSWERED_LAST_NS (2500 * NSEC_PER_MSEC)
#define HEALTHY_NS (120 * NSEC_PER_SEC)
#define GRACE_MIN_NS (5 * NSEC_PER_SEC)
#define GRACE_SPAN_NS (10 * NSEC_PER_SEC)
#define LIST_NS (120 * NSEC_PER_SEC) /* the server gives up after 60 s itself */
#define ASK_NS (30 * NSEC_PER_SEC)

void watch_keep(char ret[WATCH_VERSION_MAX], const char *version)
{
	if (version && strlen(version) < WATCH_VERSION_MAX)
		memcpy(ret, version, strlen(version) + 1);
}

struct watch_do watch_ask(struct watch_state *state, enum watch_request request, int64_t now_ns,
			  uint64_t rnd)
{
	struct watch_do todo = { .ask = request };

	state->now = request;
	state->next = WATCH_ASK_NOTHING;
	state->began_ns = now_ns;
	state->events = 0;
	state->timeout_s =
		state->timeout_min_s + (int64_t)(rnd % (uint64_t)(state->timeout_min_s + 1));
	todo.deadline_ns = ASK_NS;
	if (request == WATCH_ASK_STREAM || request == WATCH_ASK_WATCH)
		todo.deadline_ns = state->timeout_s * NSEC_PER_SEC + GRACE_MIN_NS +
				   (int64_t)((rnd >> 32) % GRACE_SPAN_NS);
	if (request == WATCH_ASK_LIST)
		todo.deadline_ns = LIST_NS;
	state->ordered = request == WATCH_ASK_WATCH && state->resource_version[0] &&
			 strcmp(state->resource_version, "0") != 0;
	if (request == WATCH_ASK_LIST && !state->continue_token[0]) {
		state->listing = false;
		if (!state->whole) {
			watch_keep(state->from,
				   state->resource_version[0] ? state->resource_version : "0");
			if (state->version_void)
				state->from[0] = '\0';
		}
	}
	todo.begin = request == WATCH_ASK_STREAM ||
		     (request == WATCH_ASK_LIST && !state->continue_token[0]);
	return todo;
}

struct watch_do watch_again(struct watch_state *state, enum watch_request request, int64_t now_ns,
			    uint64_t rnd)
{
	struct watch_do todo = watch_ask(state, request, now_ns, rnd);

	todo.cancel = true;
	return todo;
}

struct watch_do watch_list(struct watch_state *state, int64_t now_ns, uint64_t rnd)
{
	state->continue_token[0] = '\0';
	state->whole = false;
	return watch_again(state, WATCH_ASK_LIST, now_ns, rnd);
}

/* Uniform in [d, 2d), d doubled by each failure up to last_ns. */
static int64_t back_off(uint32_t *failures, int64_t last_ns, uint64_t rnd)
{
	int64_t wait_ns = BACKOFF_FIRST_NS;

	for (uint32_t i = 0; i < *failures && wait_ns < last_ns; i++)
		wait_ns *= 2;
	wait_ns = MIN(wait_ns, last_ns);
	if (wait_ns < last_ns)
		(*failures)++;
	return wait_ns + (int64_t)(rnd % (uint64_t)wait_ns);
}

static struct watch_do rest(struct watch_state *state, enum watch_request next, int64_t wait_ns,
			    const char *why)
{
	state->healthy_ns = 0;
	state->now = WATCH_ASK_NOTHING;
	state->next = next;
	return (struct watch_do){ .cancel = true, .wait_ns = wait_ns, .why = why };
}

struct watch_do watch_wait(struct watch_state *state, enum watch_request next, int64_t at_least_ns,
			   uint64_t rnd, const char *why)
{
	int64_t wait_ns = back_off(&state->failures, BACKOFF_LAST_NS, rnd);

	state->unanswered = 0;
	return rest(state, next, MAX(wait_ns, at_least_ns), why);
}

struct watch_do watch_wait_unanswered(struct watch_state *state, enum watch_request next,
				      uint64_t rnd)
{
	return rest(state, next, back_off(&state->unanswered, UNANSWERED_LAST_NS, rnd),
		    "nobody answers there");
}

struct watch_do watch_wait_anew(struct watch_state *state, enum watch_request next,
				int64_t at_least_ns, uint64_t rnd, const char *why)
{
	state->continue_token[0] = '\0';
	state->whole = false;
	return watch_wait(state, next, at_least_ns, rnd, why);
}

enum watch_request watch_sync_request(const struct watch_state *state)
{
	return state->list_only ? WATCH_ASK_LIST : WATCH_ASK_STREAM;
}

void watch_healthy(struct watch_state *state, int64_t now_ns)
{
	state->token_retried = state->ca_retried = false;
	state->forbidden = state->missing = false;
	state->unanswered = 0;
	if (!state->healthy_ns)
		state->healthy_ns = now_ns;
	if (now_ns - state->healthy_ns >= HEALTHY_NS)
		state->failures = 0;
}
