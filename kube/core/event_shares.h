/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_EVENT_SHARES_H
#define KUBE_CORE_EVENT_SHARES_H

/* Whose the events of event_recorder.h are: each namespace has the same share of the room and of the turns, and what one
 * does not need the others have. */

#include "lib/core/base.h"

struct event_share {
	char *ns;
	size_t nr;     /* events */
	uint64_t turn; /* when it was last served */
};

/* All zeros = empty. */
struct event_shares {
	struct event_share **share; /* by ns; pointers stay */
	size_t nr;
	uint64_t turn;
};

void event_shares_release(struct event_shares *shares);

/* One event more, or less, of a namespace.  A share is void without events. */
struct event_share *event_share_join(struct event_shares *shares, const char *ns);
void event_share_leave(struct event_shares *shares, struct event_share *share);

/* All room is taken: who shall give an event up for one of `ns`?  The largest, when it has more than `ns` would have then;
 * NULL = nobody. */
const struct event_share *event_shares_giver(const struct event_shares *shares, const char *ns);

/* It had its turn: everybody else goes first now. */
void event_share_served(struct event_shares *shares, struct event_share *share);

#endif
