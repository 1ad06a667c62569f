/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CONTROL_WS_PEER_H
#define LIB_CONTROL_WS_PEER_H

#include "lib/control/ws.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

/* The node name that the peer's certificate bears: its CN, or the first DNS name if it has none.
 * -EPROTO if there is none, or it is not made of [A-Za-z0-9._-]. */
must_check int ws_peer_name(struct lws *wsi, char *ret_name, size_t size, struct err *err);

#endif
