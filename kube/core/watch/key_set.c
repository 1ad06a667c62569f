/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/watch/key_set.h"

#include <string.h>

#include "lib/core/hash.h"

#define SLOTS_MIN 64

/* Never 0. */
static uint64_t hash(const struct key_set *set, const char *ns, const char *name)
{
	struct hash_keyed sip;
	uint64_t value;

	hash_keyed_init(&sip, set->key);
	hash_keyed_add(&sip, ns, strlen(ns));
	hash_keyed_add(&sip, name, strlen(name));
	value = hash_keyed_end(&sip);
	return value ? value : 1;
}

/* Where it is, or the free slot where it belongs. */
static size_t place(const uint64_t *slot, size_t slot_nr, uint64_t value)
{
	size_t i = value & (slot_nr - 1);

	while (slot[i] && slot[i] != value)
		i = (i + 1) & (slot_nr - 1);
	return i;
}

static void grow(struct key_set *set)
{
	size_t slot_nr = set->slot_nr ? 2 * set->slot_nr : SLOTS_MIN;
	uint64_t *slot = xcalloc(slot_nr, sizeof(*slot));

	for (size_t i = 0; i < set->slot_nr; i++)
		if (set->slot[i])
			slot[place(slot, slot_nr, set->slot[i])] = set->slot[i];
	free(set->slot);
	set->slot = slot;
	set->slot_nr = slot_nr;
}

void key_set_release(struct key_set *set)
{
	free(set->slot);
	*set = (struct key_set){ 0 };
}

void key_set_reset(struct key_set *set, uint64_t key_a, uint64_t key_b)
{
	key_set_release(set);
	set->key[0] = key_a;
	set->key[1] = key_b;
}

void key_set_add(struct key_set *set, const char *ns, const char *name)
{
	uint64_t value = hash(set, ns, name);
	size_t i;

	if (4 * (set->nr + 1) > 3 * set->slot_nr)
		grow(set);
	i = place(set->slot, set->slot_nr, value);
	set->nr += !set->slot[i];
	set->slot[i] = value;
}

bool key_set_has(const struct key_set *set, const char *ns, const char *name)
{
	uint64_t value;

	if (!set->nr)
		return false;
	value = hash(set, ns, name);
	return set->slot[place(set->slot, set->slot_nr, value)] == value;
}
