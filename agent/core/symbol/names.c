/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/names.h"

#include <string.h>

struct entry {
	uint64_t addr;
	uint32_t file;	       /* 0 = free */
	uint32_t text, system; /* in blob; bit 31 of text: found */
};

#define FOUND (1U << 31)
#define SLOTS_FIRST 1024

struct names {
	struct entry *slot;
	size_t slots, nr;
	char *blob;
	size_t len, size;
	uint32_t last_text, last_system; /* one function's addresses come one after the other */
};

struct names *names_new(void)
{
	return xcalloc(1, sizeof(struct names));
}

void names_free(struct names *names)
{
	if (!names)
		return;
	free(names->slot);
	free(names->blob);
	free(names);
}

size_t names_nr(const struct names *names)
{
	return names->nr;
}

static size_t place(const struct names *names, uint32_t file, uint64_t addr)
{
	uint64_t hash = (addr + file) * 0x9e3779b97f4a7c15ULL;
	size_t at = (hash >> 20) & (names->slots - 1);

	while (names->slot[at].file &&
	       (names->slot[at].file != file || names->slot[at].addr != addr))
		at = (at + 1) & (names->slots - 1);
	return at;
}

static void reserve(struct names *names)
{
	struct entry *old = names->slot;
	size_t old_slots = names->slots;

	if (names->nr * 2 < old_slots)
		return;
	names->slots = MAX(SLOTS_FIRST, 2 * old_slots);
	names->slot = xcalloc(names->slots, sizeof(*names->slot));
	for (size_t i = 0; i < old_slots; i++)
		if (old[i].file)
			names->slot[place(names, old[i].file, old[i].addr)] = old[i];
	free(old);
}

bool names_get(const struct names *names, uint32_t file, uint64_t addr, struct name *ret_name)
{
	const struct entry *entry;

	if (names->slots == 0)
		return false;
	entry = &names->slot[place(names, file, addr)];
	if (!entry->file)
		return false;
	ret_name->text = names->blob + (entry->text & ~FOUND);
	ret_name->system = names->blob + entry->system;
	ret_name->found = entry->text & FOUND;
	return true;
}

static uint32_t keep(struct names *names, const char *text, uint32_t last)
{
	size_t len = strlen(text) + 1;

	if (names->len && strcmp(names->blob + last, text) == 0)
		return last;
	if (names->len + len > names->size) {
		names->size = MAX(2 * names->size, names->len + len + 16384);
		names->blob = xrealloc(names->blob, names->size, 1);
	}
	memcpy(names->blob + names->len, text, len);
	names->len += len;
	return (uint32_t)(names->len - len);
}

void names_put(struct names *names, uint32_t file, uint64_t addr, const struct name *name)
{
	struct entry *entry;

	if (names->nr >= NAMES_HARD * NAMES_MAX || names->len >= NAMES_HARD * NAMES_BYTES)
		return;
	reserve(names);
	names->last_text = keep(names, name->text, names->last_text);
	if (!name->system || strcmp(name->system, name->text) == 0)
		names->last_system = names->last_text;
	else
		names->last_system = keep(names, name->system, names->last_system);
	entry = &names->slot[place(names, file, addr)];
	names->nr += !entry->file;
	*entry = (struct entry){
		.addr = addr,
		.file = file,
		.text = names->last_text | (name->found ? FOUND : 0),
		.system = names->last_system,
	};
}

void names_trim(struct names *names)
{
	if (names->nr <= NAMES_MAX && names->len <= NAMES_BYTES)
		return;
	free(names->slot);
	free(names->blob);
	*names = (struct names){ .nr = 0 };
}
