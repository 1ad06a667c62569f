/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/symbol_cache.h"

#include <string.h>

struct entry {
	uint64_t addr;
	uint32_t file;	       /* 0 = free */
	uint32_t text, system; /* in blob; bit 31 of text: found */
};

#define FOUND (1U << 31)
#define SLOTS_FIRST 1024

struct symbol_cache {
	struct entry *slot;
	size_t slots, nr;
	char *blob;
	size_t len, size;
	uint32_t last_text, last_system; /* one function's addresses come one after the other */
};

struct symbol_cache *symbol_cache_new(void)
{
	return xcalloc(1, sizeof(struct symbol_cache));
}

void symbol_cache_free(struct symbol_cache *cache)
{
	if (!cache)
		return;
	free(cache->slot);
	free(cache->blob);
	free(cache);
}

size_t symbol_cache_nr(const struct symbol_cache *cache)
{
	return cache->nr;
}

static size_t place(const struct symbol_cache *cache, uint32_t file, uint64_t addr)
{
	uint64_t hash = (addr + file) * 0x9e3779b97f4a7c15ULL;
	size_t at = (hash >> 20) & (cache->slots - 1);

	while (cache->slot[at].file &&
	       (cache->slot[at].file != file || cache->slot[at].addr != addr))
		at = (at + 1) & (cache->slots - 1);
	return at;
}

static void reserve(struct symbol_cache *cache)
{
	struct entry *old = cache->slot;
	size_t old_slots = cache->slots;

	if (cache->nr * 2 < old_slots)
		return;
	cache->slots = MAX(SLOTS_FIRST, 2 * old_slots);
	cache->slot = xcalloc(cache->slots, sizeof(*cache->slot));
	for (size_t i = 0; i < old_slots; i++)
		if (old[i].file)
			cache->slot[place(cache, old[i].file, old[i].addr)] = old[i];
	free(old);
}

bool symbol_cache_get(const struct symbol_cache *cache, uint32_t file, uint64_t addr,
		      struct symbol_name *ret_name)
{
	const struct entry *entry;

	if (cache->slots == 0)
		return false;
	entry = &cache->slot[place(cache, file, addr)];
	if (!entry->file)
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
	reserve(cache);
	cache->last_text = keep(cache, name->text, cache->last_text);
	if (!name->system || strcmp(name->system, name->text) == 0)
		cache->last_system = cache->last_text;
	else
		cache->last_system = keep(cache, name->system, cache->last_system);
	entry = &cache->slot[place(cache, file, addr)];
	cache->nr += !entry->file;
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
	free(cache->slot);
	free(cache->blob);
	*cache = (struct symbol_cache){ .nr = 0 };
}
