/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_WATCH_WATCH_PRIV_H
#define KUBE_CORE_WATCH_WATCH_PRIV_H

/* Between watch_fsm.c (what an event means) and watch_ask.c (how the next request or wait is begun). */

#include "kube/core/watch/watch_fsm.h"

#define BACKOFF_LAST_NS (30 * NSEC_PER_SEC)

/* Remember a version; one that is too long is none. */
void watch_keep(char ret[WATCH_VERSION_MAX], const char *version);

/* Begin a request: the first, or one after another has ended. */
struct watch_do watch_ask(struct watch_state *state, enum watch_request request, int64_t now_ns,
			  uint64_t rnd);
/* The same, and what is under way ends. */
struct watch_do watch_again(struct watch_state *state, enum watch_request request, int64_t now_ns,
			    uint64_t rnd);
/* Begin a list from its first page. */
struct watch_do watch_list(struct watch_state *state, int64_t now_ns, uint64_t rnd);

/* End what is under way, wait (longer each time that something fails), then ask for `next`; a list goes on
 * with the page that it waited for.  `why` is a constant. */
struct watch_do watch_wait(struct watch_state *state, enum watch_request next, int64_t at_least_ns,
			   uint64_t rnd, const char *why);
/* The same after a connection that was refused: 5 s at most, since whoever is not there is not burdened by it,
 * and an API server that is restarted is found soon. */
struct watch_do watch_wait_unanswered(struct watch_state *state, enum watch_request next,
				      uint64_t rnd);
/* The pages that came are worth nothing: after the wait, `next` begins from the start. */
struct watch_do watch_wait_anew(struct watch_state *state, enum watch_request next,
				int64_t at_least_ns, uint64_t rnd, const char *why);

/* How a sync begins. */
enum watch_request watch_sync_request(const struct watch_state *state);

/* Something good came: after a while of that, the next failure is the first again. */
void watch_healthy(struct watch_state *state, int64_t now_ns);

#endif
