/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_HASH_H
#define LIB_CORE_HASH_H

/* 64-bit hashes for tables in memory; no value of theirs is stored or sent.  Pure.
 *
 * The first two take no key: fast, all 64 bits good, and whoever chooses what is hashed can make values collide.
 * Where an outsider would gain by that, hash_keyed. */

#include "lib/core/base.h"

/* A bijection: equal hashes are equal values. */
uint64_t hash_u64(uint64_t value);

uint64_t hash_bytes(const void *bytes, size_t len);

/* SipHash-1-3 of a sequence of byte strings under a random key.  Each counts with its length, so that
 * "ab", "c" is another sequence than "a", "bc". */
struct hash_keyed {
	uint64_t v[4];
};

void hash_keyed_init(struct hash_keyed *hash, const uint64_t key[2]);
void hash_keyed_add(struct hash_keyed *hash, const void *bytes, size_t len);
uint64_t hash_keyed_end(struct hash_keyed *hash);

#endif
