/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "lib/core/sorted.h"

#define CHUNK_SYMBOLS 1024
#define CHUNK_SECTIONS 64
/* A table may claim symbols that each cover every address: that much work and no more. */
#define STEPS_MAX (16ULL * 1024 * 1024)

struct search {
	const struct elf_source *source;
	const struct elf *elf;
	struct elf_query *query;
	size_t nr;
	size_t steps;
};

static int read_section(const struct search *search, uint32_t index, Elf64_Shdr *ret_section)
{
	uint64_t offset = search->elf->section_offset;

	if (index >= search->elf->section_nr || offset > INT64_MAX)
		return -EINVAL;
	return elf_read_all(search->source, ret_section, sizeof(*ret_section),
			    offset + index * sizeof(*ret_section));
}

static int compare_vaddr(const void *key, const void *element)
{
	uint64_t vaddr = *(const uint64_t *)key, other = ((const struct elf_query *)element)->vaddr;

	return vaddr < other ? -1 : vaddr > other;
}

/* Index of the first query at or after vaddr. */
static size_t lower_bound(const struct search *search, uint64_t vaddr)
{
	return sorted_place(&vaddr, search->query, search->nr, sizeof(*search->query),
			    compare_vaddr);
}

/* 0 = names no code. */
static unsigned rank_of(const Elf64_Sym *symbol)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info), rank;

	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS ||
	    symbol->st_shndx == SHN_COMMON || symbol->st_name == 0)
		return 0;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		rank = 3;
	else if (type == STT_NOTYPE)
		rank = 1;
	else
		return 0;
	return rank + (ELF64_ST_BIND(symbol->st_info) != STB_LOCAL);
}

/* The inner one of two, and of two at the same place the better. */
static void prefer(struct elf_symbol *best, const struct elf_symbol *symbol)
{
	if (best->rank == 0 || symbol->vaddr > best->vaddr ||
	    (symbol->vaddr == best->vaddr && symbol->rank > best->rank))
		*best = *symbol;
}

static void offer(struct search *search, const struct elf_symbol *symbol)
{
	size_t first = lower_bound(search, symbol->vaddr);

	search->steps++;
	if (first == search->nr)
		return;
	/* The queries after this one learn of it in settle(). */
	prefer(&search->query[first].before, symbol);
	for (size_t i = first; i < search->nr && search->steps < STEPS_MAX; i++) {
		if (search->query[i].vaddr - symbol->vaddr >= symbol->size)
			break;
		prefer(&search->query[i].symbol, symbol);
		search->steps++;
	}
}

static int stream_table(struct search *search, const Elf64_Shdr *table)
{
	uint64_t nr = MIN(table->sh_size / sizeof(Elf64_Sym), ELF_SYMBOLS);
	Elf64_Sym chunk[CHUNK_SYMBOLS];
	Elf64_Shdr names;
	int r;

	r = read_section(search, table->sh_link, &names);
	if (r < 0)
		return r;
	if (names.sh_type != SHT_STRTAB || names.sh_size > UINT64_MAX - names.sh_offset ||
	    table->sh_offset > INT64_MAX)
		return -EINVAL;
	for (uint64_t at = 0; at < nr && search->steps < STEPS_MAX; at += CHUNK_SYMBOLS) {
		size_t in_chunk = MIN(nr - at, CHUNK_SYMBOLS);

		r = elf_read_all(search->source, chunk, in_chunk * sizeof(*chunk),
				 table->sh_offset + at * sizeof(*chunk));
		if (r < 0)
			return r;
		for (size_t i = 0; i < in_chunk; i++) {
			struct elf_symbol symbol = {
				.vaddr = chunk[i].st_value,
				.size = chunk[i].st_size,
				.name = names.sh_offset + chunk[i].st_name,
				.name_limit = names.sh_offset + names.sh_size,
				.rank = rank_of(&chunk[i]),
			};

			if (symbol.rank && chunk[i].st_name < names.sh_size)
				offer(search, &symbol);
		}
	}
	return 0;
}

static bool same_segment(const struct elf *elf, uint64_t a, uint64_t b)
{
	for (size_t i = 0; i < elf->segment_nr; i++) {
		const struct elf_segment *segment = &elf->segment[i];

		if (a - segment->vaddr < segment->size && b - segment->vaddr < segment->size)
			return true;
	}
	return false;
}

/* Assembly often tells no size: then a symbol reaches to the next one. */
static void settle(struct search *search)
{
	struct elf_symbol before = { .rank = 0 };

	for (size_t i = 0; i < search->nr; i++) {
		struct elf_query *query = &search->query[i];

		if (query->before.rank)
			before = query->before;
		if (query->symbol.rank == 0 && before.rank && before.size == 0 &&
		    same_segment(search->elf, before.vaddr, query->vaddr))
			query->symbol = before;
	}
}

/* The first table of each type counts; a second one is nobody's compiler's. */
static int find_tables(const struct search *search, Elf64_Shdr ret_table[2])
{
	Elf64_Shdr chunk[CHUNK_SECTIONS];
	uint32_t nr = MIN(search->elf->section_nr, ELF_SECTIONS);

	if (search->elf->section_offset > INT64_MAX)
		return -EINVAL;
	for (uint32_t at = 0; at < nr; at += CHUNK_SECTIONS) {
		uint32_t in_chunk = MIN(nr - at, CHUNK_SECTIONS);
		int r = elf_read_all(search->source, chunk, in_chunk * sizeof(*chunk),
				     search->elf->section_offset + at * sizeof(*chunk));

		if (r < 0)
			return r;
		for (uint32_t i = 0; i < in_chunk; i++) {
			if (chunk[i].sh_type == SHT_SYMTAB && !ret_table[0].sh_type)
				ret_table[0] = chunk[i];
			if (chunk[i].sh_type == SHT_DYNSYM && !ret_table[1].sh_type)
				ret_table[1] = chunk[i];
		}
	}
	return 0;
}

int elf_lookup(const struct elf_source *source, const struct elf *elf, struct elf_query *query,
	       size_t nr, struct err *err)
{
	struct search search = { .source = source, .elf = elf, .query = query, .nr = nr };
	Elf64_Shdr table[2] = { 0 };
	int result;

	result = find_tables(&search, table);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int r = table[i].sh_type ? stream_table(&search, &table[i]) : 0;

		if (r < 0)
			result = r;
	}
	settle(&search);
	if (result < 0)
		return err_set(err, result, "symbol table: %s", strerror(-result));
	return 0;
}

size_t elf_name(const struct elf_source *source, const struct elf_query *query,
		char name[ELF_NAME_BYTES])
{
	const struct elf_symbol *symbol = &query->symbol;
	size_t len, done = 0;

	name[0] = '\0';
	if (!symbol->rank || symbol->name >= symbol->name_limit || symbol->name > INT64_MAX)
		return 0;
	len = MIN(symbol->name_limit - symbol->name, ELF_NAME_BYTES - 1);
	while (done < len) {
		ssize_t nr =
			source->read(source->ctx, name + done, len - done, symbol->name + done);

		if (nr <= 0)
			break;
		done += (size_t)nr;
		if (memchr(name, '\0', done))
			break;
	}
	name[done] = '\0';
	return strlen(name);
}
