/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_SYMBOL_ELF_H
#define AGENT_CORE_SYMBOL_ELF_H

/* What profiles need of an ELF file: segments, build id, and the names of given addresses.  Pure: the
 * bytes come through a callback.
 *
 * The file is a tenant's and may lie about everything.  Nothing is mapped (a file that is cut meanwhile
 * would kill us), nothing is believed, and each call reads a bounded number of bytes.  Symbol tables are
 * streamed through a small buffer, never kept.
 *
 * Only 64-bit little-endian files; others are -ENOTSUP.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"

#include <sys/types.h>

#define ELF_SEGMENTS 8			 /* executable PT_LOADs kept */
#define ELF_BUILD_ID_BYTES 20		 /* longer ids are cut */
#define ELF_PROGRAM_HEADERS 256		 /* read at most */
#define ELF_SECTIONS 65535		 /* read at most */
#define ELF_SYMBOLS (2ULL * 1024 * 1024) /* of one table, read at most */
#define ELF_NAME_BYTES 1024		 /* a longer symbol name is cut */

/* Read up to `len` bytes at `offset`.  Returns their number, 0 at the end, or a negative errno. */
typedef ssize_t elf_read(void *ctx, void *buf, size_t len, uint64_t offset);

struct elf_source {
	elf_read *read;
	void *ctx;
};

/* All of `len` bytes.  -EINVAL when the file ends before. */
must_check int elf_read_all(const struct elf_source *source, void *buf, size_t len,
			    uint64_t offset);

struct elf_segment {
	uint64_t offset, vaddr; /* of the first byte */
	uint64_t size;		/* in the file */
};

struct elf {
	struct elf_segment segment[ELF_SEGMENTS]; /* executable ones */
	size_t segment_nr;
	uint8_t build_id[ELF_BUILD_ID_BYTES];
	size_t build_id_len; /* 0 = has none */
	uint64_t section_offset;
	uint32_t section_nr;
};

/* Read the headers.  -ENOTSUP for what is no 64-bit little-endian ELF, -EINVAL for one that contradicts
 * itself, or what `read` returned; err says which.  *ret_elf is written on success only. */
must_check int elf_open(const struct elf_source *source, struct elf *ret_elf, struct err *err);

/* The segment that holds this offset of the file, or NULL. */
const struct elf_segment *elf_find_segment(const struct elf *elf, uint64_t offset);

/* The virtual address of this offset; the offset itself if no segment holds it. */
uint64_t elf_vaddr(const struct elf *elf, uint64_t offset);

/* A symbol that may name an address. */
struct elf_symbol {
	uint64_t vaddr, size; /* size 0 = it does not tell */
	uint64_t name,
		name_limit; /* offsets in the file; the name does not reach beyond the limit */
	unsigned rank;	    /* 0 = none; the higher of two at the same place is taken */
};

/* One address to name. */
struct elf_query {
	uint64_t vaddr;
	size_t tag;		  /* the caller's own */
	struct elf_symbol symbol; /* written by elf_lookup(); rank 0 = not found */
	struct elf_symbol before; /* its own: the nearest symbol at or before vaddr */
};

/* Find the function that covers each address; `query` must be sorted by vaddr, and zero but for it and the tag.
 * Returns 0 (what was not found says so), or a negative errno if the file could not be read; what was
 * found until then stands. */
must_check int elf_lookup(const struct elf_source *source, const struct elf *elf,
			  struct elf_query *query, size_t nr, struct err *err);

/* The name that a query found, NUL-terminated, cut at the buffer's end.  Returns its length; 0 = none. */
size_t elf_name(const struct elf_source *source, const struct elf_query *query,
		char name[ELF_NAME_BYTES]);

#endif
