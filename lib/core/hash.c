/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/hash.h"

#include <string.h>

uint64_t hash_u64(uint64_t value)
{
	value ^= value >> 33;
	value *= 0xff51afd7ed558ccdULL;
	value ^= value >> 33;
	value *= 0xc4ceb9fe1a85ec53ULL;
	return value ^ value >> 33;
}

/* FNV-1a, and its weak high bits mixed. */
uint64_t hash_bytes(const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3ULL;
	return hash_u64(hash);
}

static uint64_t turn(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

static void mix(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = turn(v[1], 13) ^ v[0];
	v[0] = turn(v[0], 32);
	v[2] += v[3];
	v[3] = turn(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = turn(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = turn(v[1], 17) ^ v[2];
	v[2] = turn(v[2], 32);
}

static void take(struct hash_keyed *hash, uint64_t word)
{
	hash->v[3] ^= word;
	mix(hash->v);
	hash->v[0] ^= word;
}

void hash_keyed_init(struct hash_keyed *hash, const uint64_t key[2])
{
	hash->v[0] = key[0] ^ 0x736f6d6570736575ULL;
	hash->v[1] = key[1] ^ 0x646f72616e646f6dULL;
	hash->v[2] = key[0] ^ 0x6c7967656e657261ULL;
	hash->v[3] = key[1] ^ 0x7465646279746573ULL;
}

void hash_keyed_add(struct hash_keyed *hash, const void *bytes, size_t len)
{
	const char *at = bytes;

	take(hash, len);
	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t word = 0;

		memcpy(&word, at + i, MIN(len - i, sizeof(word)));
		take(hash, word);
	}
}

uint64_t hash_keyed_end(struct hash_keyed *hash)
{
	hash->v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		mix(hash->v);
	return hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3];
}
