/* SPDX-License-Identifier: Apache-2.0 */
/* A file made here, byte by byte, and the ways it can lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "agent/core/symbol/elf.h"

#define TEXT_OFFSET 0x200
#define TEXT_VADDR 0x401200

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segment[2];
	struct {
		Elf64_Nhdr header;
		char name[4];
		uint8_t id[8];
	} note;
	uint8_t pad[TEXT_OFFSET - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr) - 24];
	uint8_t text[0x200];
	Elf64_Sym symbol[8];
	char names[64];
	Elf64_Shdr section[3];
	size_t size; /* what the file has; less than its content = truncated */
};

static ssize_t read_image(void *ctx, void *buf, size_t len, uint64_t offset)
{
	const struct image *image = ctx;
	size_t nr;

	if (offset >= image->size)
		return 0;
	nr = MIN(len, image->size - offset);
	memcpy(buf, (const char *)image + offset, nr);
	return (ssize_t)nr;
}

static void add_symbol(struct image *image, size_t at, const char *name, uint64_t vaddr,
		       uint64_t size, unsigned char info)
{
	size_t offset = 1;

	while (image->names[offset])
		offset += strlen(image->names + offset) + 1;
	strcpy(image->names + offset, name);
	image->symbol[at] = (Elf64_Sym){
		.st_name = (Elf64_Word)offset,
		.st_info = info,
		.st_shndx = 1,
		.st_value = vaddr,
		.st_size = size,
	};
}

static void make(struct image *image)
{
	*image = (struct image){ .size = offsetof(struct image, size) };
	memcpy(image->header.e_ident, ELFMAG, SELFMAG);
	image->header.e_ident[EI_CLASS] = ELFCLASS64;
	image->header.e_ident[EI_DATA] = ELFDATA2LSB;
	image->header.e_phoff = offsetof(struct image, segment);
	image->header.e_phentsize = sizeof(Elf64_Phdr);
	image->header.e_phnum = 2;
	image->header.e_shoff = offsetof(struct image, section);
	image->header.e_shentsize = sizeof(Elf64_Shdr);
	image->header.e_shnum = 3;
	image->segment[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
					  .p_flags = PF_R | PF_X,
					  .p_offset = TEXT_OFFSET,
					  .p_vaddr = TEXT_VADDR,
					  .p_filesz = 0x200,
					  .p_memsz = 0x200 };
	image->segment[1] = (Elf64_Phdr){ .p_type = PT_NOTE,
					  .p_align = 4,
					  .p_offset = offsetof(struct image, note),
					  .p_filesz = sizeof(image->note) };
	image->note.header = (Elf64_Nhdr){ 4, 8, NT_GNU_BUILD_ID };
	memcpy(image->note.name, "GNU", 4);
	memcpy(image->note.id, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	add_symbol(image, 1, "outer", TEXT_VADDR, 0x100, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC));
	add_symbol(image, 2, "inner", TEXT_VADDR + 0x40, 0x10, ELF64_ST_INFO(STB_LOCAL, STT_FUNC));
	add_symbol(image, 3, "local", TEXT_VADDR + 0x100, 0x20, ELF64_ST_INFO(STB_LOCAL, STT_FUNC));
	add_symbol(image, 4, "global", TEXT_VADDR + 0x100, 0x20,
		   ELF64_ST_INFO(STB_GLOBAL, STT_FUNC));
	add_symbol(image, 5, "asm", TEXT_VADDR + 0x140, 0, ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE));
	add_symbol(image, 6, "data", TEXT_VADDR + 0x160, 0x20,
		   ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT));
	image->section[1] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
					  .sh_link = 2,
					  .sh_offset = offsetof(struct image, symbol),
					  .sh_size = sizeof(image->symbol) };
	image->section[2] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
					  .sh_offset = offsetof(struct image, names),
					  .sh_size = sizeof(image->names) };
}

/* The name at an offset in the text; "" = none. */
static const char *name_at(struct image *image, uint64_t offset, char name[ELF_NAME_BYTES])
{
	struct elf_source source = { read_image, image };
	struct elf_query query = { .vaddr = TEXT_VADDR + offset };
	struct elf elf;

	assert_int_equal(elf_open(&source, &elf, NULL), 0);
	if (elf_lookup(&source, &elf, &query, 1, NULL) < 0)
		assert_int_equal(query.symbol.rank, 0);
	elf_name(&source, &query, name);
	return name;
}

static void check(uint64_t offset, const char *expected)
{
	char name[ELF_NAME_BYTES];
	struct image image;

	make(&image);
	assert_string_equal(name_at(&image, offset, name), expected);
}

static void the_innermost_function_that_covers_an_address_names_it(void **state)
{
	(void)state;
	check(0, "outer");
	check(0x3f, "outer");
	check(0x40, "inner");
	check(0x4f, "inner");
	check(0x50, "outer");
	check(0xff, "outer");
}

static void a_global_name_is_preferred_to_a_local_one(void **state)
{
	(void)state;
	check(0x110, "global");
}

static void behind_a_function_that_tells_its_size_there_is_nothing(void **state)
{
	(void)state;
	check(0x120, "");
	check(0x13f, "");
}

static void assembly_without_a_size_reaches_to_the_end(void **state)
{
	(void)state;
	check(0x140, "asm");
	check(0x170, "asm");
	check(0x1ff, "asm");
	check(0x200, "");
}

static void many_addresses_are_found_in_one_pass(void **state)
{
	static const uint64_t at[] = { 0, 0x40, 0x60, 0x110, 0x120, 0x150, 0x151 };
	static const char *const expected[] = { "outer", "inner", "outer", "global",
						"",	 "asm",	  "asm" };
	struct elf_query query[ARRAY_SIZE(at)] = { 0 };
	char name[ELF_NAME_BYTES];
	struct image image;
	struct elf_source source = { read_image, &image };
	struct elf elf;

	(void)state;
	make(&image);
	assert_int_equal(elf_open(&source, &elf, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		query[i].vaddr = TEXT_VADDR + at[i];
	assert_int_equal(elf_lookup(&source, &elf, query, ARRAY_SIZE(at), NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		elf_name(&source, &query[i], name);
		assert_string_equal(name, expected[i]);
	}
}

static void headers_tell_build_id_and_addresses(void **state)
{
	struct image image;
	struct elf_source source = { read_image, &image };
	struct elf elf;

	(void)state;
	make(&image);
	assert_int_equal(elf_open(&source, &elf, NULL), 0);
	assert_int_equal(elf.build_id_len, 8);
	assert_memory_equal(elf.build_id, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	assert_int_equal(elf_vaddr(&elf, TEXT_OFFSET + 0x12), TEXT_VADDR + 0x12);
	assert_null(elf_find_segment(&elf, TEXT_OFFSET + 0x200));
	assert_null(elf_find_segment(&elf, 0));
}

static void what_is_no_64_bit_elf_is_refused_with_a_sentence(void **state)
{
	struct err err = ERR_INIT;
	struct image image;
	struct elf_source source = { read_image, &image };
	struct elf elf;

	(void)state;
	make(&image);
	image.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(elf_open(&source, &elf, &err), -ENOTSUP);
	assert_string_equal(err.text, "not a 64-bit little-endian ELF file");
	image.header.e_ident[0] = '#';
	assert_int_equal(elf_open(&source, &elf, &err), -ENOTSUP);
	assert_string_equal(err.text, "not an ELF file");
}

/* Every length of the file: an error or fewer names, never a read behind the end. */
static void a_truncated_file_gives_no_wrong_names(void **state)
{
	(void)state;
	for (size_t size = 0; size < offsetof(struct image, size); size += 7) {
		char name[ELF_NAME_BYTES];
		struct image image;
		struct elf_source source = { read_image, &image };
		struct elf elf;

		make(&image);
		image.size = size;
		if (elf_open(&source, &elf, NULL) < 0)
			continue;
		assert_string_equal(name_at(&image, 0x10, name), "");
	}
}

static void sizes_that_lie_are_survived(void **state)
{
	char name[ELF_NAME_BYTES];
	struct image image;

	(void)state;
	make(&image);
	image.section[1].sh_size = UINT64_MAX;
	assert_string_equal(name_at(&image, 0x10, name), "");
	make(&image);
	image.section[2].sh_size = 1;
	assert_string_equal(name_at(&image, 0x10, name), "");
	make(&image);
	image.section[2].sh_offset = UINT64_MAX;
	assert_string_equal(name_at(&image, 0x10, name), "");
	make(&image);
	image.section[1].sh_link = 77;
	assert_string_equal(name_at(&image, 0x10, name), "");
	make(&image);
	image.header.e_shoff = UINT64_MAX;
	assert_string_equal(name_at(&image, 0x10, name), "");
	make(&image);
	image.note.header.n_descsz = UINT32_MAX;
	assert_string_equal(name_at(&image, 0x10, name), "outer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_innermost_function_that_covers_an_address_names_it),
		cmocka_unit_test(a_global_name_is_preferred_to_a_local_one),
		cmocka_unit_test(behind_a_function_that_tells_its_size_there_is_nothing),
		cmocka_unit_test(assembly_without_a_size_reaches_to_the_end),
		cmocka_unit_test(many_addresses_are_found_in_one_pass),
		cmocka_unit_test(headers_tell_build_id_and_addresses),
		cmocka_unit_test(what_is_no_64_bit_elf_is_refused_with_a_sentence),
		cmocka_unit_test(a_truncated_file_gives_no_wrong_names),
		cmocka_unit_test(sizes_that_lie_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
