/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/session/door.h"

#include <string.h>

void door_address(const void *bytes, size_t len, uint8_t ret[DOOR_ADDRESS_BYTES])
{
	memset(ret, 0, DOOR_ADDRESS_BYTES);
	memcpy(ret, bytes, MIN(len, (size_t)DOOR_ADDRESS_BYTES));
}

bool door_has_room(const struct door_visitor *visitor, size_t nr)
{
	size_t busy = 0;

	for (size_t i = 0; i < nr; i++)
		busy += !visitor[i].silent && !visitor[i].leaving;
	return nr < DOOR_MAX && busy < DOOR_BUSY_MAX;
}

static size_t visitors_of(const struct door_visitor *visitor, size_t nr,
			  const uint8_t address[DOOR_ADDRESS_BYTES])
{
	size_t found = 0;

	for (size_t i = 0; i < nr; i++)
		found += memcmp(visitor[i].address, address, DOOR_ADDRESS_BYTES) == 0;
	return found;
}

ssize_t door_crowded_out(const struct door_visitor *visitor, size_t nr, int64_t now_ns)
{
	size_t most = 0;
	ssize_t found = -1;

	if (nr < DOOR_MAX)
		return -1;
	for (size_t i = 0; i < nr; i++) {
		size_t of_his;

		if (!visitor[i].silent || visitor[i].leaving ||
		    now_ns - visitor[i].since_ns < DOOR_GRACE_NS)
			continue;
		of_his = visitors_of(visitor, nr, visitor[i].address);
		if (of_his <= most)
			continue;
		most = of_his;
		found = (ssize_t)i;
	}
	return found;
}

ssize_t door_late(const struct door_visitor *visitor, size_t nr, int64_t now_ns)
{
	for (size_t i = 0; i < nr; i++)
		if (!visitor[i].leaving && now_ns - visitor[i].since_ns >= DOOR_NS)
			return (ssize_t)i;
	return -1;
}
