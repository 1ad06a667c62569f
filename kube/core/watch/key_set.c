/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/watch/key_set.h"

#include <string.h>

#define SLOTS_MIN 64

struct sip {
	uint64_t a, b, c, d;
};

static uint64_t turn(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

static void mix(struct sip *s)
{
	s->a += s->b;
	s->b = turn(s->b, 13) ^ s->a;
	s->a = turn(s->a, 32);
	s->c += s->d;
	s->d = turn(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = turn(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = turn(s->b, 17) ^ s->c;
	s->c = turn(s->c, 32);
}

static void take(struct sip *s, uint64_t word)
{
	s->d ^= word;
	mix(s);
	s->a ^= word;
}

static void take_text(struct sip *s, const char *text)
{
	size_t len = strlen(text);
	uint64_t word;

	take(s, len);
	for (size_t i = 0; i < len; i += sizeof(word)) {
		word = 0;
		memcpy(&word, text + i, MIN(len - i, sizeof(word)));
		take(s, word);
	}
}

/* SipHash-1-3 of both texts; never 0. */
static uint64_t hash(const struct key_set *set, const char *ns, const char *name)
{
	struct sip s = {
		.a = set->key[0] ^ 0x736f6d6570736575ULL,
		.b = set->key[1] ^ 0x646f72616e646f6dULL,
		.c = set->key[0] ^ 0x6c7967656e657261ULL,
		.d = set->key[1] ^ 0x7465646279746573ULL,
	};
	uint64_t value;

	take_text(&s, ns);
	take_text(&s, name);
	s.c ^= 0xff;
	for (int i = 0; i < 3; i++)
		mix(&s);
	value = s.a ^ s.b ^ s.c ^ s.d;
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
