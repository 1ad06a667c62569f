/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/mount_line.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mount_line line;
	cleanup(freep) char *text = xmalloc(size);

	memcpy(text, data, size);
	if (mount_line_parse(text, size, &line) &&
	    (strlen(line.type) == 0 || strpbrk(line.type, " \n")))
		__builtin_trap();
	return 0;
}
