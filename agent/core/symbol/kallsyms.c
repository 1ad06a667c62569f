/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/kallsyms.h"

#include <string.h>

#include "lib/core/utf8.h"

/* Text and modules lie within 2 GiB of each other on every architecture; the first line seen is in the text. */
#define REACH_BELOW (2ULL * 1024 * 1024 * 1024)
/* An address further behind the last function than this is not in it. */
#define TAIL_BYTES (1024ULL * 1024)
#define NAME_BYTES 512

struct symbol {
	uint32_t offset; /* from base */
	uint32_t name;	 /* in names; bit 31: global */
};

#define GLOBAL (1U << 31)

struct kallsyms {
	uint64_t base;
	struct symbol *symbol;
	size_t nr;
	char *names;
	size_t names_len, names_size;
};

struct kallsyms *kallsyms_new(void)
{
	return xcalloc(1, sizeof(struct kallsyms));
}

void kallsyms_free(struct kallsyms *kallsyms)
{
	if (!kallsyms)
		return;
	free(kallsyms->symbol);
	free(kallsyms->names);
	free(kallsyms);
}

size_t kallsyms_nr(const struct kallsyms *kallsyms)
{
	return kallsyms->nr;
}

static size_t take_hex(const char *line, size_t len, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t at = 0;

	for (; at < len && at < 16; at++) {
		char c = line[at];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	*ret_value = value;
	return at;
}

/* Padding before functions: never executed, and as many names again. */
static bool is_padding(const char *name, size_t len)
{
	return len > 6 && (memcmp(name, "__pfx_", 6) == 0 || memcmp(name, "__cfi_", 6) == 0);
}

static uint32_t keep_name(struct kallsyms *kallsyms, const char *name, size_t len)
{
	char clean[NAME_BYTES];
	size_t clean_len = utf8_clean(name, len, clean, sizeof(clean)) + 1,
	       at = kallsyms->names_len;

	if (kallsyms->names_len + clean_len > kallsyms->names_size) {
		kallsyms->names_size = MAX(64UL * 1024, 2 * kallsyms->names_size);
		kallsyms->names = xrealloc(kallsyms->names, kallsyms->names_size, 1);
	}
	memcpy(kallsyms->names + at, clean, clean_len);
	kallsyms->names_len += clean_len;
	return (uint32_t)at;
}

static void keep(struct kallsyms *kallsyms, uint64_t addr, bool global, const char *name,
		 size_t len)
{
	char *tab;
	char text[NAME_BYTES];

	if (kallsyms->nr == 0)
		kallsyms->base = addr > REACH_BELOW ? addr - REACH_BELOW : 0;
	if (addr < kallsyms->base || addr - kallsyms->base > UINT32_MAX ||
	    kallsyms->nr == KALLSYMS_SYMBOLS ||
	    kallsyms->names_len + NAME_BYTES > KALLSYMS_NAME_BYTES)
		return;
	len = MIN(len, sizeof(text));
	memcpy(text, name, len);
	tab = memchr(text, '\t', len);
	if (tab)
		*tab = ' ';
	GROW(kallsyms->symbol, kallsyms->nr);
	kallsyms->symbol[kallsyms->nr++] = (struct symbol){
		.offset = (uint32_t)(addr - kallsyms->base),
		.name = keep_name(kallsyms, text, len) | (global ? GLOBAL : 0),
	};
}

void kallsyms_add(struct kallsyms *kallsyms, const char *line, size_t len)
{
	uint64_t addr;
	size_t at;
	char type;

	if (len && line[len - 1] == '\n')
		len--;
	at = take_hex(line, len, &addr);
	if (at == 0 || len - at < 4 || line[at] != ' ' || line[at + 2] != ' ' || addr == 0)
		return;
	type = line[at + 1];
	if (!strchr("TtWw", type) || type == '\0' || is_padding(line + at + 3, len - at - 3))
		return;
	keep(kallsyms, addr, type == 'T', line + at + 3, len - at - 3);
}

/* By address; of several names for one address the global ones first, then as they came. */
static int compare(const void *left, const void *right)
{
	const struct symbol *a = left, *b = right;

	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	if ((a->name ^ b->name) & GLOBAL)
		return a->name & GLOBAL ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

bool kallsyms_finish(struct kallsyms *kallsyms)
{
	size_t kept = 0;

	if (kallsyms->nr == 0)
		return false;
	qsort(kallsyms->symbol, kallsyms->nr, sizeof(*kallsyms->symbol), compare);
	for (size_t i = 0; i < kallsyms->nr; i++)
		if (kept == 0 || kallsyms->symbol[kept - 1].offset != kallsyms->symbol[i].offset)
			kallsyms->symbol[kept++] = kallsyms->symbol[i];
	kallsyms->nr = kept;
	kallsyms->symbol = xrealloc(kallsyms->symbol, kept, sizeof(*kallsyms->symbol));
	kallsyms->names = xrealloc(kallsyms->names, kallsyms->names_len, 1);
	kallsyms->names_size = kallsyms->names_len;
	return true;
}

const char *kallsyms_find(const struct kallsyms *kallsyms, uint64_t addr)
{
	size_t low = 0, high = kallsyms->nr;
	uint64_t offset = addr - kallsyms->base;

	if (addr < kallsyms->base || kallsyms->nr == 0)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (kallsyms->symbol[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 ||
	    (low == kallsyms->nr && offset - kallsyms->symbol[low - 1].offset > TAIL_BYTES))
		return NULL;
	return kallsyms->names + (kallsyms->symbol[low - 1].name & ~GLOBAL);
}
