/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/ksymbols.h"

#include <string.h>

#include "lib/core/sorted.h"

struct entry {
	uint64_t start, end; /* end exclusive; no two have an address in common */
	char *name;
	bool gone;
};

struct ksymbols {
	struct entry *entry; /* by start */
	size_t nr;
};

struct ksymbols *ksymbols_new(void)
{
	return xcalloc(1, sizeof(struct ksymbols));
}

void ksymbols_free(struct ksymbols *ksymbols)
{
	if (!ksymbols)
		return;
	for (size_t i = 0; i < ksymbols->nr; i++)
		free(ksymbols->entry[i].name);
	free(ksymbols->entry);
	free(ksymbols);
}

static int compare_addr(const void *key, const void *element)
{
	uint64_t addr = *(const uint64_t *)key;
	const struct entry *entry = element;

	return addr < entry->start ? -1 : addr >= entry->end;
}

/* The first that ends behind the address. */
static size_t place(const struct ksymbols *ksymbols, uint64_t addr)
{
	return sorted_place(&addr, ksymbols->entry, ksymbols->nr, sizeof(*ksymbols->entry),
			    compare_addr);
}

static void remove_entries(struct ksymbols *ksymbols, size_t first, size_t nr)
{
	struct entry *entry = ksymbols->entry + first;

	if (nr == 0)
		return;
	for (size_t i = 0; i < nr; i++)
		free(entry[i].name);
	ksymbols->nr -= nr;
	memmove(entry, entry + nr, (ksymbols->nr - first) * sizeof(*entry));
}

static void add(struct ksymbols *ksymbols, const struct sideband_symbol *symbol)
{
	struct entry new = { .start = symbol->start, .end = symbol->end };
	size_t at = place(ksymbols, new.start), over = 0;

	while (at + over < ksymbols->nr && ksymbols->entry[at + over].start < new.end)
		over++;
	remove_entries(ksymbols, at, over);
	if (ksymbols->nr == KSYMBOLS_MAX)
		return;
	new.name = xstrdup(symbol->name);
	GROW(ksymbols->entry, ksymbols->nr);
	memmove(ksymbols->entry + at + 1, ksymbols->entry + at,
		(ksymbols->nr - at) * sizeof(*ksymbols->entry));
	ksymbols->entry[at] = new;
	ksymbols->nr++;
}

static struct entry *find(const struct ksymbols *ksymbols, uint64_t addr)
{
	return sorted_find(&addr, ksymbols->entry, ksymbols->nr, sizeof(*ksymbols->entry),
			   compare_addr);
}

void ksymbols_take(struct ksymbols *ksymbols, const struct sideband_symbol *symbol)
{
	struct entry *known;

	if (!symbol->gone) {
		add(ksymbols, symbol);
		return;
	}
	known = find(ksymbols, symbol->start);
	if (known)
		known->gone = true;
}

void ksymbols_forget_gone(struct ksymbols *ksymbols)
{
	size_t kept = 0;

	for (size_t i = 0; i < ksymbols->nr; i++)
		if (ksymbols->entry[i].gone)
			free(ksymbols->entry[i].name);
		else
			ksymbols->entry[kept++] = ksymbols->entry[i];
	ksymbols->nr = kept;
}

const char *ksymbols_find(const struct ksymbols *ksymbols, uint64_t addr)
{
	const struct entry *entry = find(ksymbols, addr);

	return entry ? entry->name : NULL;
}

size_t ksymbols_nr(const struct ksymbols *ksymbols)
{
	return ksymbols->nr;
}
