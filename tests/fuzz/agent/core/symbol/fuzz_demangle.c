/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/demangle.h"

#include <string.h>

#include "lib/core/text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(freep) char *text = xmalloc(size + 1);
	char out[DEMANGLE_OUTPUT];
	size_t len;

	memcpy(text, data, size);
	text[size] = '\0';
	len = demangle(text, out);
	if (len >= sizeof(out) || strlen(out) != len)
		__builtin_trap();
	for (size_t at = 0; at < len;) {
		uint32_t code;
		size_t nr = utf8_char(out + at, len - at, &code);

		if (!nr || utf8_is_unsafe(code))
			__builtin_trap();
		at += nr;
	}
	return 0;
}
