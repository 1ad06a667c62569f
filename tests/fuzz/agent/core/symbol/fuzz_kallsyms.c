/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/kallsyms.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kallsyms *kallsyms = kallsyms_new();
	const char *at = (const char *)data, *end = at + size;
	const char *name;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = newline ? (size_t)(newline - at) + 1 : (size_t)(end - at);
		cleanup(freep) char *line = xmalloc(len);

		memcpy(line, at, len);
		kallsyms_add(kallsyms, line, len);
		at += len;
	}
	if (kallsyms_finish(kallsyms)) {
		name = kallsyms_find(kallsyms, 0xffffffff81000010);
		if (name && strlen(name) > 512)
			__builtin_trap();
	}
	kallsyms_free(kallsyms);
	return 0;
}
