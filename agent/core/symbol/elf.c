/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define NOTE_BYTES 4096

int elf_read_all(const struct elf_source *source, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	if (offset > INT64_MAX - len)
		return -EINVAL;
	while (done < len) {
		ssize_t nr =
			source->read(source->ctx, (char *)buf + done, len - done, offset + done);

		if (nr <= 0)
			return nr < 0 ? (int)nr : -EINVAL;
		done += (size_t)nr;
	}
	return 0;
}

static int check_header(const Elf64_Ehdr *header, struct err *err)
{
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return err_set(err, -ENOTSUP, "not an ELF file");
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return err_set(err, -ENOTSUP, "not a 64-bit little-endian ELF file");
	if (header->e_phnum && header->e_phentsize != sizeof(Elf64_Phdr))
		return err_set(err, -EINVAL, "program headers of %u bytes", header->e_phentsize);
	if (header->e_shnum && header->e_shentsize != sizeof(Elf64_Shdr))
		return err_set(err, -EINVAL, "section headers of %u bytes", header->e_shentsize);
	return 0;
}

/* Look for the GNU build id in one PT_NOTE; `align` pads name and content. */
static void scan_notes(const uint8_t *note, size_t len, size_t align, struct elf *elf)
{
	size_t at = 0;

	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr header;
		size_t name, desc;

		memcpy(&header, note + at, sizeof(header));
		name = at + sizeof(header);
		if (header.n_namesz > len || header.n_descsz > len)
			return;
		desc = (name + header.n_namesz + align - 1) & ~(align - 1);
		if (desc > len || header.n_descsz > len - desc)
			return;
		if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 &&
		    memcmp(note + name, "GNU", 4) == 0) {
			elf->build_id_len = MIN(header.n_descsz, ELF_BUILD_ID_BYTES);
			memcpy(elf->build_id, note + desc, elf->build_id_len);
			return;
		}
		at = (desc + header.n_descsz + align - 1) & ~(align - 1);
		if (at > len)
			return;
	}
}

static void read_notes(const struct elf_source *source, const Elf64_Phdr *segment, struct elf *elf)
{
	uint8_t note[NOTE_BYTES];
	size_t len = MIN(segment->p_filesz, sizeof(note));

	if (elf->build_id_len == 0 && elf_read_all(source, note, len, segment->p_offset) == 0)
		scan_notes(note, len, segment->p_align == 8 ? 8 : 4, elf);
}

static void take_segment(const struct elf_source *source, const Elf64_Phdr *segment,
			 struct elf *elf)
{
	if (segment->p_type == PT_NOTE)
		read_notes(source, segment, elf);
	if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || !segment->p_filesz)
		return;
	if (segment->p_filesz > UINT64_MAX - segment->p_offset ||
	    segment->p_filesz > UINT64_MAX - segment->p_vaddr || elf->segment_nr == ELF_SEGMENTS)
		return;
	elf->segment[elf->segment_nr++] = (struct elf_segment){
		.offset = segment->p_offset,
		.vaddr = segment->p_vaddr,
		.size = segment->p_filesz,
	};
}

/* More than 65,279 sections are told by section 0. */
static int count_sections(const struct elf_source *source, const Elf64_Ehdr *header,
			  struct elf *elf)
{
	Elf64_Shdr first;
	int r;

	elf->section_offset = header->e_shoff;
	elf->section_nr = header->e_shnum;
	if (header->e_shnum || !header->e_shoff)
		return 0;
	r = elf_read_all(source, &first, sizeof(first), header->e_shoff);
	if (r == 0)
		elf->section_nr = (uint32_t)MIN(first.sh_size, ELF_SECTIONS);
	return r;
}

int elf_open(const struct elf_source *source, struct elf *ret_elf, struct err *err)
{
	struct elf elf = { .segment_nr = 0 };
	Elf64_Ehdr header;
	int r;

	r = elf_read_all(source, &header, sizeof(header), 0);
	if (r < 0)
		return err_set(err, r == -EINVAL ? -ENOTSUP : r, "no ELF header: %s", strerror(-r));
	r = check_header(&header, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < MIN(header.e_phnum, ELF_PROGRAM_HEADERS); i++) {
		Elf64_Phdr segment;

		if (header.e_phoff > INT64_MAX)
			return err_set(err, -EINVAL, "program headers beyond the end");
		r = elf_read_all(source, &segment, sizeof(segment),
				 header.e_phoff + i * sizeof(segment));
		if (r < 0)
			return err_set(err, r, "program header %u: %s", i, strerror(-r));
		take_segment(source, &segment, &elf);
	}
	/* A file without sections still has addresses; it only has no names. */
	if (count_sections(source, &header, &elf) < 0)
		elf.section_nr = 0;
	*ret_elf = elf;
	return 0;
}

const struct elf_segment *elf_find_segment(const struct elf *elf, uint64_t offset)
{
	for (size_t i = 0; i < elf->segment_nr; i++) {
		const struct elf_segment *segment = &elf->segment[i];

		if (offset >= segment->offset && offset - segment->offset < segment->size)
			return segment;
	}
	return NULL;
}

uint64_t elf_vaddr(const struct elf *elf, uint64_t offset)
{
	const struct elf_segment *segment = elf_find_segment(elf, offset);

	return segment ? offset - segment->offset + segment->vaddr : offset;
}
