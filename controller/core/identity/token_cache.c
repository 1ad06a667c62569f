/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/identity/token_cache.h"

#include <openssl/evp.h>
#include <string.h>

#define WAYS 8 /* places that one key may have */

struct place {
	uint8_t key[TOKEN_KEY_BYTES];
	int64_t expires_ns; /* 0 = empty */
	struct token_answer *answer;
};

struct table {
	struct place *place;
	size_t nr; /* a multiple of WAYS */
};

struct token_cache {
	struct table good, bad;
};

static void table_init(struct table *table, size_t nr)
{
	table->place = xcalloc(nr, sizeof(*table->place));
	table->nr = nr;
}

static void table_release(struct table *table)
{
	for (size_t i = 0; i < table->nr; i++)
		free(table->place[i].answer);
	free(table->place);
}

struct token_cache *token_cache_new(void)
{
	struct token_cache *cache = xcalloc(1, sizeof(*cache));

	table_init(&cache->good, TOKEN_CACHE_GOOD);
	table_init(&cache->bad, TOKEN_CACHE_BAD);
	return cache;
}

void token_cache_free(struct token_cache *cache)
{
	if (!cache)
		return;
	table_release(&cache->good);
	table_release(&cache->bad);
	free(cache);
}

void token_key(const char *token, uint8_t ret_key[TOKEN_KEY_BYTES])
{
	if (EVP_Digest(token, strlen(token), ret_key, NULL, EVP_sha256(), NULL) != 1)
		abort();
}

static struct place *places_of(const struct table *table, const uint8_t *key)
{
	uint32_t bits;

	memcpy(&bits, key, sizeof(bits)); /* of a SHA-256: evenly spread */
	return table->place + (bits % (table->nr / WAYS)) * WAYS;
}

static struct place *find(const struct table *table, const uint8_t *key)
{
	struct place *place = places_of(table, key);

	for (size_t i = 0; i < WAYS; i++)
		if (place[i].answer && memcmp(place[i].key, key, TOKEN_KEY_BYTES) == 0)
			return &place[i];
	return NULL;
}

static void empty(struct place *place)
{
	free(place->answer);
	*place = (struct place){ 0 };
}

/* The key's own place, else the one that is the least loss. */
static struct place *place_for(const struct table *table, const uint8_t *key)
{
	struct place *place = places_of(table, key);
	struct place *best = find(table, key);

	if (best)
		return best;
	best = place;
	for (size_t i = 1; i < WAYS; i++)
		if (place[i].expires_ns < best->expires_ns)
			best = &place[i];
	return best;
}

static const struct token_answer *get(const struct table *table, const uint8_t *key, int64_t now_ns)
{
	struct place *place = find(table, key);

	if (place && place->expires_ns <= now_ns) {
		empty(place);
		return NULL;
	}
	return place ? place->answer : NULL;
}

const struct token_answer *token_cache_get(struct token_cache *cache,
					   const uint8_t key[TOKEN_KEY_BYTES], int64_t now_ns)
{
	const struct token_answer *answer = get(&cache->good, key, now_ns);

	return answer ? answer : get(&cache->bad, key, now_ns);
}

void token_cache_put(struct token_cache *cache, const uint8_t key[TOKEN_KEY_BYTES],
		     const struct token_answer *answer, int64_t expires_ns, int64_t now_ns)
{
	struct token_answer copy = *answer; /* it may be one of ours, about to be emptied */
	bool good = copy.reason == TOKEN_GOOD;
	struct place *other = find(good ? &cache->bad : &cache->good, key);
	int64_t until_ns =
		MIN(expires_ns, now_ns + (good ? TOKEN_CACHE_GOOD_NS : TOKEN_CACHE_BAD_NS));
	struct place *place;

	if (copy.reason == TOKEN_UNAVAILABLE || copy.reason == TOKEN_BUSY)
		return;
	if (other)
		empty(other);
	place = place_for(good ? &cache->good : &cache->bad, key);
	empty(place);
	if (until_ns <= now_ns)
		return;
	memcpy(place->key, key, TOKEN_KEY_BYTES);
	place->expires_ns = until_ns;
	place->answer = xcalloc(1, sizeof(*place->answer));
	*place->answer = copy;
}
