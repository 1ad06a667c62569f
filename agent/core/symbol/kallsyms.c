/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/kallsyms.h"

#include <string.h>
#include <zlib.h>

#include "lib/core/sorted.h"
#include "lib/core/text/utf8.h"

/* Text and modules lie within 2 GiB of each other on every architecture; the first line seen is in the text. */
#define REACH_BELOW (2ULL * 1024 * 1024 * 1024)
/* An address further behind the last function than this is not in it. */
#define TAIL_BYTES (1024ULL * 1024)
#define NAME_BYTES 512
/* Names are kept deflated, in blocks of this many bytes: they are asked for once each, and are most of the table. */
#define BLOCK_BYTES 8192
#define BLOCKS (KALLSYMS_NAME_BYTES / BLOCK_BYTES)
#define WINDOW_BITS 13
#define MEM_LEVEL 5

struct symbol {
	uint32_t offset; /* from base */
	uint32_t name;	 /* block and place in it; bit 31: global */
};

struct block {
	uint8_t *data;
	uint32_t len;
};

#define GLOBAL (1U << 31)

struct kallsyms {
	uint64_t base;
	uint64_t text_start, text_end; /* of the kernel itself; 0 = not told */
	struct symbol *symbol;
	size_t nr;
	struct block block[BLOCKS];
	size_t block_nr;
	char text[BLOCK_BYTES]; /* of the block that is being filled, or was read last */
	size_t text_len;	/* while it is being filled */
	size_t text_block;	/* once it was read */
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
	for (size_t i = 0; i < kallsyms->block_nr; i++)
		free(kallsyms->block[i].data);
	free(kallsyms);
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

/* Put away the block that is full; without memory for it, its names are empty. */
static void close_block(struct kallsyms *kallsyms)
{
	struct block *block = &kallsyms->block[kallsyms->block_nr++];
	z_stream deflater = { .next_in = (Bytef *)kallsyms->text, .avail_in = BLOCK_BYTES };
	uint8_t out[2 * BLOCK_BYTES];

	memset(kallsyms->text + kallsyms->text_len, 0, BLOCK_BYTES - kallsyms->text_len);
	kallsyms->text_len = 0;
	if (deflateInit2(&deflater, Z_BEST_SPEED, Z_DEFLATED, WINDOW_BITS, MEM_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return;
	deflater.next_out = out;
	deflater.avail_out = sizeof(out);
	if (deflate(&deflater, Z_FINISH) == Z_STREAM_END) {
		block->len = (uint32_t)deflater.total_out;
		block->data = xmalloc(block->len);
		memcpy(block->data, out, block->len);
	}
	deflateEnd(&deflater);
}

static const char *read_name(struct kallsyms *kallsyms, uint32_t name)
{
	const struct block *block = &kallsyms->block[name / BLOCK_BYTES];
	z_stream inflater = { .next_in = block->data, .avail_in = block->len };

	if (kallsyms->text_block != name / BLOCK_BYTES) {
		kallsyms->text_block = name / BLOCK_BYTES;
		memset(kallsyms->text, 0, BLOCK_BYTES);
		inflater.next_out = (Bytef *)kallsyms->text;
		inflater.avail_out = BLOCK_BYTES;
		if (block->len && inflateInit2(&inflater, WINDOW_BITS) == Z_OK) {
			(void)inflate(&inflater, Z_FINISH);
			inflateEnd(&inflater);
		}
	}
	return kallsyms->text + name % BLOCK_BYTES;
}

static bool has_room(const struct kallsyms *kallsyms)
{
	return kallsyms->nr < KALLSYMS_SYMBOLS && kallsyms->block_nr < BLOCKS - 1;
}

/* No name lies in two blocks. */
static uint32_t keep_name(struct kallsyms *kallsyms, const char *name, size_t len)
{
	char clean[NAME_BYTES];
	size_t clean_len = utf8_clean(name, len, clean, sizeof(clean)) + 1, at;

	if (kallsyms->text_len + clean_len > BLOCK_BYTES)
		close_block(kallsyms);
	at = kallsyms->text_len;
	memcpy(kallsyms->text + at, clean, clean_len);
	kallsyms->text_len += clean_len;
	return (uint32_t)(kallsyms->block_nr * BLOCK_BYTES + at);
}

static void note_text(struct kallsyms *kallsyms, uint64_t addr, const char *name, size_t len)
{
	if (len == 6 && memcmp(name, "_stext", len) == 0)
		kallsyms->text_start = addr;
	else if (len == 6 && memcmp(name, "_etext", len) == 0)
		kallsyms->text_end = addr;
}

static void keep(struct kallsyms *kallsyms, uint64_t addr, bool global, const char *name,
		 size_t len)
{
	char *tab;
	char text[NAME_BYTES];

	if (kallsyms->nr == 0)
		kallsyms->base = addr > REACH_BELOW ? addr - REACH_BELOW : 0;
	if (addr < kallsyms->base || addr - kallsyms->base > UINT32_MAX || !has_room(kallsyms))
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
	note_text(kallsyms, addr, line + at + 3, len - at - 3);
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
	close_block(kallsyms);
	kallsyms->text_block = SIZE_MAX;
	return true;
}

/* What begins at the address itself is not after it. */
static int compare_offset(const void *key, const void *element)
{
	return *(const uint64_t *)key >= ((const struct symbol *)element)->offset ? 1 : -1;
}

const char *kallsyms_find(struct kallsyms *kallsyms, uint64_t addr)
{
	uint64_t offset = addr - kallsyms->base;
	size_t next;

	if (addr < kallsyms->base || kallsyms->nr == 0)
		return NULL;
	next = sorted_place(&offset, kallsyms->symbol, kallsyms->nr, sizeof(*kallsyms->symbol),
			    compare_offset);
	if (next == 0 ||
	    (next == kallsyms->nr && offset - kallsyms->symbol[next - 1].offset > TAIL_BYTES))
		return NULL;
	return read_name(kallsyms, kallsyms->symbol[next - 1].name & ~GLOBAL);
}

bool kallsyms_offset(const struct kallsyms *kallsyms, uint64_t addr, uint64_t *ret_offset)
{
	if (!kallsyms->text_start || addr < kallsyms->text_start || addr >= kallsyms->text_end)
		return false;
	*ret_offset = addr - kallsyms->text_start;
	return true;
}
