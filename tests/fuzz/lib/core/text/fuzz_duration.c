/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/text/duration.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written so that it reads the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(freep) char *text = xstrndup((const char *)data, size);
	char formatted[DURATION_TEXT_MAX];
	struct err err;
	int64_t ns, again;

	if (duration_parse(text, &ns, &err) < 0)
		return 0;
	duration_format(ns, formatted);
	if (duration_parse(formatted, &again, &err) < 0 || again != ns)
		abort();
	return 0;
}
