/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/symbol_cache.h"

#include <string.h>

#include "agent/core/model/array_index.h"
#include "lib/core/hash.h"

struct entry {
	uint64_t addr;
	uint32_t file;
	uint32_t text, system; /* in blob; bit 31 of text: found */
};

#define FOUND (1U << 31)

struct symbol_cache {
	struct entry *entry;
	size_t nr;
	struct array_index by_place;
	char *blob;
	size_t len, size;
	uint32_t last_text, last_system; /* one function's addresses come one after the other */
};

struct symbol_cache *symbol_cache_new(void)
{
	return xcalloc(1, sizeof(struct symbol_cache));
}

static void release(struct symbol_cache *cache)
{
	array_index_release(&cache->by_place);
	free(cache->entry);
	free(cache->blob);
}

void symbol_cache_free(struct symbol_cache *cache)
{
	if (!cache)
		return;
	release(cache);
	free(cache);
}

size_t symbol_cache_nr(const struct symbol_cache *cache)
{
	return cache->nr;
}

static uint64_t hash_of(uint32_t file, uint64_t addr)
{
	return hash_u64(addr ^ hash_u64(file));
}

static struct entry *find(const struct symbol_cache *cache, uint32_t file, uint64_t addr)
{
	struct array_index_walk walk = array_index_walk(&cache->by_place, hash_of(file, addr));

	for (uint32_t i; (i = array_index_next(&walk)) != ARRAY_INDEX_NONE;)
		if (cache->entry[i].addr == addr && cache->entry[i].file == file)
			return &cache->entry[i];
	return NULL;
}

static struct entry *add(struct symbol_cache *cache, uint32_t file, uint64_t addr)
{
	GROW(cache->entry, cache->nr);
	array_index_add(&cache->by_place, hash_of(file, addr), cache->nr);
	return &cache->entry[cache->nr++];
}

bool symbol_cache_get(const struct symbol_cache *cache, uint32_t file, uint64_t addr,
		      struct symbol_name *ret_name)
{
	const struct entry *entry = find(cache, file, addr);

	if (!entry)
		return false;
	ret_name->text = cache->blob + (entry->text & ~FOUND);
	ret_name->system = cache->blob + entry->system;
	ret_name->found = entry->text & FOUND;
	return true;
}

static uint32_t keep(struct symbol_cache *cache, const char *text, uint32_t last)
{
	size_t len = strlen(text) + 1;

	if (cache->len && strcmp(cache->blob + last, text) == 0)
		return last;
	if (cache->len + len > cache->size) {
		cache->size = MAX(2 * cache->size, cache->len + len + 16384);
		cache->blob = xrealloc(cache->blob, cache->size, 1);
	}
	memcpy(cache->blob + cache->len, text, len);
	cache->len += len;
	return (uint32_t)(cache->len - len);
}

void symbol_cache_put(struct symbol_cache *cache, uint32_t file, uint64_t addr,
		      const struct symbol_name *name)
{
	struct entry *entry;

	if (cache->nr >= SYMBOL_CACHE_HARD * SYMBOL_CACHE_MAX ||
	    cache->len >= SYMBOL_CACHE_HARD * SYMBOL_CACHE_BYTES)
		return;
	cache->last_text = keep(cache, name->text, cache->last_text);
	if (!name->system || strcmp(name->system, name->text) == 0)
		cache->last_system = cache->last_text;
	else
		cache->last_system = keep(cache, name->system, cache->last_system);
	entry = find(cache, file, addr);
	if (!entry)
		entry = add(cache, file, addr);
	*entry = (struct entry){
		.addr = addr,
		.file = file,
		.text = cache->last_text | (name->found ? FOUND : 0),
		.system = cache->last_system,
	};
}

void symbol_cache_trim(struct symbol_cache *cache)
{
	if (cache->nr <= SYMBOL_CACHE_MAX && cache->len <= SYMBOL_CACHE_BYTES)
		return;
	release(cache);
	*cache = (struct symbol_cache){ .nr = 0 };
}
