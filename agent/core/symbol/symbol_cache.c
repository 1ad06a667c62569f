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

struct generation {
	struct entry *entry;
	size_t nr;
	struct array_index by_place;
	char *blob;
	size_t len, size;
	uint32_t last_text, last_system; /* one function's addresses come one after the other */
};

struct symbol_cache {
	struct generation young, old;
};

struct symbol_cache *symbol_cache_new(void)
{
	return xcalloc(1, sizeof(struct symbol_cache));
}

static void release(struct generation *generation)
{
	array_index_release(&generation->by_place);
	free(generation->entry);
	free(generation->blob);
	*generation = (struct generation){ .nr = 0 };
}

void symbol_cache_free(struct symbol_cache *cache)
{
	if (!cache)
		return;
	release(&cache->young);
	release(&cache->old);
	free(cache);
}

size_t symbol_cache_nr(const struct symbol_cache *cache)
{
	return cache->young.nr + cache->old.nr;
}

static uint64_t hash_of(uint32_t file, uint64_t addr)
{
	return hash_u64(addr ^ hash_u64(file));
}

static struct entry *find(const struct generation *generation, uint32_t file, uint64_t addr)
{
	struct array_index_walk walk = array_index_walk(&generation->by_place, hash_of(file, addr));

	for (uint32_t i; (i = array_index_next(&walk)) != ARRAY_INDEX_NONE;)
		if (generation->entry[i].addr == addr && generation->entry[i].file == file)
			return &generation->entry[i];
	return NULL;
}

static struct entry *add(struct generation *generation, uint32_t file, uint64_t addr)
{
	GROW(generation->entry, generation->nr);
	array_index_add(&generation->by_place, hash_of(file, addr), generation->nr);
	return &generation->entry[generation->nr++];
}

static bool get(const struct generation *generation, uint32_t file, uint64_t addr,
		struct symbol_name *ret_name)
{
	const struct entry *entry = find(generation, file, addr);

	if (!entry)
		return false;
	ret_name->text = generation->blob + (entry->text & ~FOUND);
	ret_name->system = generation->blob + entry->system;
	ret_name->found = entry->text & FOUND;
	return true;
}

bool symbol_cache_get(const struct symbol_cache *cache, uint32_t file, uint64_t addr,
		      struct symbol_name *ret_name)
{
	return get(&cache->young, file, addr, ret_name) || get(&cache->old, file, addr, ret_name);
}

bool symbol_cache_touch(struct symbol_cache *cache, uint32_t file, uint64_t addr,
			struct symbol_name *ret_name)
{
	struct symbol_name old;

	if (get(&cache->young, file, addr, ret_name))
		return true;
	if (!get(&cache->old, file, addr, &old))
		return false;
	symbol_cache_put(cache, file, addr, &old);
	return symbol_cache_get(cache, file, addr, ret_name);
}

static uint32_t keep(struct generation *generation, const char *text, uint32_t last)
{
	size_t len = strlen(text) + 1;

	if (generation->len && strcmp(generation->blob + last, text) == 0)
		return last;
	if (generation->len + len > generation->size) {
		generation->size = MAX(2 * generation->size, generation->len + len + 16384);
		generation->blob = xrealloc(generation->blob, generation->size, 1);
	}
	memcpy(generation->blob + generation->len, text, len);
	generation->len += len;
	return (uint32_t)(generation->len - len);
}

static bool exceeds(const struct generation *generation, size_t times)
{
	return generation->nr >= times * SYMBOL_CACHE_MAX ||
	       generation->len >= times * SYMBOL_CACHE_BYTES;
}

void symbol_cache_put(struct symbol_cache *cache, uint32_t file, uint64_t addr,
		      const struct symbol_name *name)
{
	struct generation *young = &cache->young;
	struct entry *entry;

	if (exceeds(young, SYMBOL_CACHE_HARD))
		return;
	young->last_text = keep(young, name->text, young->last_text);
	if (!name->system || strcmp(name->system, name->text) == 0)
		young->last_system = young->last_text;
	else
		young->last_system = keep(young, name->system, young->last_system);
	entry = find(young, file, addr);
	if (!entry)
		entry = add(young, file, addr);
	*entry = (struct entry){
		.addr = addr,
		.file = file,
		.text = young->last_text | (name->found ? FOUND : 0),
		.system = young->last_system,
	};
}

void symbol_cache_age(struct symbol_cache *cache)
{
	if (!exceeds(&cache->young, 1))
		return;
	release(&cache->old);
	cache->old = cache->young;
	cache->young = (struct generation){ .nr = 0 };
}

void symbol_cache_trim(struct symbol_cache *cache)
{
	symbol_cache_age(cache);
	if (exceeds(&cache->old, 2))
		release(&cache->old);
}
