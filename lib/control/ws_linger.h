/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CONTROL_WS_LINGER_H
#define LIB_CONTROL_WS_LINGER_H

/* Sockets whose peer shall read our last word.  Closing one while bytes of the peer are unread makes the kernel send
 * a reset, which overtakes the TLS alert that says why: the peer would learn nothing. */

#include "lib/core/base.h"

#define WS_LINGER_MAX 32 /* beyond it the oldest goes at once */
#define WS_LINGER_NS NSEC_PER_SEC

struct ws_linger {
	struct {
		int fd;
		int64_t until_ns;
	} held[WS_LINGER_MAX];
	size_t nr;
};

/* Keep the connection of `fd` open, which its owner is about to close, by a descriptor of our own. */
void ws_linger_add(struct ws_linger *linger, int fd, int64_t now_ns);
/* Close those whose time is over; INT64_MAX = all. */
void ws_linger_end(struct ws_linger *linger, int64_t now_ns);

#endif
