/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/procmap.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct procmap_line line;
	cleanup(freep) char *text = xmalloc(size);

	memcpy(text, data, size);
	if (procmap_parse(text, size, &line) &&
	    (line.start >= line.end || line.path_len > PROCMAP_PATH_BYTES ||
	     strlen(line.path) != line.path_len))
		__builtin_trap();
	return 0;
}
