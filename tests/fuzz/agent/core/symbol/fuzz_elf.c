/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/elf.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	const uint8_t *data;
	size_t size;
};

static ssize_t read_memory(void *ctx, void *buf, size_t len, uint64_t offset)
{
	const struct memory *memory = ctx;
	size_t nr;

	if (offset >= memory->size)
		return 0;
	nr = MIN(len, memory->size - offset);
	memcpy(buf, memory->data + offset, nr);
	return (ssize_t)nr;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory memory = { data, size };
	struct elf_source source = { read_memory, &memory };
	struct elf_query query[8] = { 0 };
	char name[ELF_NAME_BYTES];
	struct elf elf;

	if (elf_open(&source, &elf, NULL) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(query); i++)
		query[i].vaddr = elf_vaddr(&elf, 0x100 + 8 * i);
	for (size_t i = 1; i < ARRAY_SIZE(query); i++)
		query[i].vaddr = MAX(query[i].vaddr, query[i - 1].vaddr);
	if (elf_lookup(&source, &elf, query, ARRAY_SIZE(query), NULL) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(query); i++)
		if (elf_name(&source, &query[i], name) >= sizeof(name))
			__builtin_trap();
	return 0;
}
