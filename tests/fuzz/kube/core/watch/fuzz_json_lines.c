/* SPDX-License-Identifier: Apache-2.0 */

/* A watch in pieces of a length that the input chooses: what comes out does not depend on it. */

#include <assert.h>
#include <string.h>

#include "kube/core/watch/json_lines.h"
#include "kube/core/watch/watch_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t cut(const char *text, size_t len, size_t piece)
{
	struct json_lines lines;
	struct err err = ERR_INIT;
	const char *line;
	uint64_t sum = 0;
	size_t n;

	json_lines_init(&lines, 4096);
	for (size_t at = 0; at < len; at += piece) {
		if (json_lines_feed(&lines, text + at, MIN(piece, len - at), &err) < 0)
			break;
		while (json_lines_next(&lines, &line, &n)) {
			struct watch_read read = { 0 };

			for (size_t i = 0; i < n; i++)
				sum = sum * 31 + (unsigned char)line[i];
			sum++;
			if (watch_read_line(line, n, NULL, &read, &err) == 0)
				watch_read_release(&read);
		}
	}
	json_lines_release(&lines);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > 4096)
		return 0;
	assert(cut((const char *)data + 1, size - 1, 1 + data[0]) ==
	       cut((const char *)data + 1, size - 1, size));
	return 0;
}
