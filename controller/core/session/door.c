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

static bool same_address(const struct door_visitor *a, const struct door_visitor *b)
{
	return memcmp(a->address, b->address, DOOR_ADDRESS_BYTES) == 0;
}

/* For each visitor, how many there are of his address. */
static void count_addresses(const struct door_visitor *visitor, size_t nr, uint16_t ret[DOOR_MAX])
{
	for (size_t i = 0; i < nr; i++) {
		ret[i] = 1;
		for (size_t k = 0; k < i; k++) {
			if (!same_address(&visitor[i], &visitor[k]))
				continue;
			ret[k]++;
			ret[i] = ret[k];
		}
	}
}

static bool may_have_to_go(const struct door_visitor *visitor, int64_t now_ns)
{
	return visitor->silent && !visitor->leaving && now_ns - visitor->since_ns >= DOOR_GRACE_NS;
}

/* The first, hence oldest, of the most numerous who may have to go; `nr` if there is none. */
static size_t pick(const uint16_t *of_his, const bool *eligible, size_t nr)
{
	size_t found = nr;

	for (size_t i = 0; i < nr; i++)
		if (eligible[i] && (found == nr || of_his[i] > of_his[found]))
			found = i;
	return found;
}

size_t door_crowded_out(const struct door_visitor *visitor, size_t nr, int64_t now_ns,
			size_t ret_who[DOOR_TURN_OUT])
{
	uint16_t of_his[DOOR_MAX];
	bool eligible[DOOR_MAX];
	size_t found = 0, i;

	if (nr < DOOR_MAX)
		return 0;
	count_addresses(visitor, nr, of_his);
	for (i = 0; i < nr; i++)
		eligible[i] = may_have_to_go(&visitor[i], now_ns);
	while (found < DOOR_TURN_OUT && (i = pick(of_his, eligible, nr)) < nr) {
		ret_who[found++] = i;
		eligible[i] = false;
		for (size_t k = 0; k < nr; k++)
			of_his[k] -= same_address(&visitor[k], &visitor[i]);
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
