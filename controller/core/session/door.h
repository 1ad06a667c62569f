/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_SESSION_DOOR_H
#define CONTROLLER_CORE_SESSION_DOOR_H

/* Who may stand at the control port before it is known who he is.
 *
 * A handshake costs CPU while both sides talk, so only a few go on at a time: when a whole fleet comes back at
 * once, those that began together would time out together and start again.  A visitor who says nothing
 * costs next to nothing and does not count for that; but there is room for DOOR_MAX only, each has DOOR_NS in
 * all, and when the room is full the one who has been silent longest goes, of the address that has most
 * visitors: who opens many connections loses his own. */

#include "lib/core/base.h"

#define DOOR_MAX 512
#define DOOR_BUSY_MAX 8			 /* handshakes that go on (R21) */
#define DOOR_NS (5 * NSEC_PER_SEC)	 /* from the connection until it is an agent's */
#define DOOR_GRACE_NS (NSEC_PER_SEC / 2) /* before one who is silent may have to go */
#define DOOR_TURN_OUT 64
#define DOOR_ADDRESS_BYTES 8

struct door_visitor {
	uint8_t address[DOOR_ADDRESS_BYTES]; /* door_address() */
	int64_t since_ns;
	bool silent;  /* nothing of his is unread: we wait for him */
	bool leaving; /* it is decided already */
};

/* What counts as one address: all of an IPv4 address (4 bytes), or the network of an IPv6 address (16 bytes,
 * of which a guest has 64 bits to himself). */
void door_address(const void *bytes, size_t len, uint8_t ret[DOOR_ADDRESS_BYTES]);

/* May one more come in?  `visitor` is in the order in which they came, here and below. */
bool door_has_room(const struct door_visitor *visitor, size_t nr);

/* Who has to go since the room is full: how many, DOOR_TURN_OUT at most, and in ret_who which. */
size_t door_crowded_out(const struct door_visitor *visitor, size_t nr, int64_t now_ns,
			size_t ret_who[DOOR_TURN_OUT]);

/* Whose time is over, or -1. */
ssize_t door_late(const struct door_visitor *visitor, size_t nr, int64_t now_ns);

#endif
