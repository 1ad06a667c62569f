/* SPDX-License-Identifier: Apache-2.0 */

/* A watch in pieces of a length that the input chooses: what comes out does not depend on it. */

#include <assert.h>
#include <string.h>

#include "kube/core/watch/json_lines.h"
#include "kube/core/watch/watch_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BOUND 256

static uint64_t cut(const char *text, size_t len, size_t piece)
{
	static const struct watch_kind kind = { .name = "Pod", .api_version = "v1" };
	struct json_lines lines;
	struct err err = ERR_INIT;
	const char *line;
	uint64_t sum = 0;
	size_t n;

	json_lines_init(&lines, BOUND);
	for (size_t at = 0; at < len; at += piece) {
		json_lines_feed(&lines, text + at, MIN(piece, len - at));
		while (json_lines_next(&lines, &line, &n)) {
			struct watch_read read = { 0 };

			for (size_t i = 0; i < n; i++)
				sum = sum * 31 + (unsigned char)line[i];
			sum++;
			if ((line ? watch_read_line(line, n, &kind, &read, &err)
				  : watch_read_passed(&lines.scan, BOUND, &kind, &read, &err)) == 0)
				sum = sum * 31 + read.event.type + (read.aside != NULL);
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
