/* SPDX-License-Identifier: Apache-2.0 */

/* A list in pieces of a length that the input chooses: what comes out does not depend on it. */

#include <assert.h>
#include <string.h>

#include "kube/core/watch/list_split.h"
#include "kube/core/watch/watch_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BOUND 256

static uint64_t cut(const char *text, size_t len, size_t piece)
{
	static const struct watch_kind kind = { .name = "Pod", .api_version = "v1" };
	struct list_split split;
	struct err err = ERR_INIT;
	enum list_part part = LIST_MORE;
	const char *got;
	uint64_t sum = 0;
	size_t n;
	int r = 0;

	list_split_init(&split, BOUND);
	for (size_t at = 0; r == 0 && at < len; at += piece) {
		list_split_feed(&split, text + at, MIN(piece, len - at));
		while ((r = list_split_next(&split, &part, &got, &n, &err)) == 0 &&
		       (part == LIST_ITEM || part == LIST_METADATA || part == LIST_TOO_LONG)) {
			struct watch_read read = { 0 };

			for (size_t i = 0; part != LIST_TOO_LONG && i < n; i++)
				sum = sum * 31 + (unsigned char)got[i];
			sum += part;
			if (part == LIST_TOO_LONG)
				r = watch_read_passed(&split.scan, BOUND, &kind, &read, &err);
			else if (part == LIST_ITEM)
				r = watch_read_item(got, n, &kind, &read, &err);
			else
				r = watch_read_metadata(got, n, &read, &err);
			sum = sum * 31 + (r == 0) + 2 * (read.aside != NULL);
			watch_read_release(&read);
		}
	}
	list_split_release(&split);
	return sum * 3 + (r < 0 ? 1 : 0) + (r == 0 && part == LIST_END ? 2 : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	assert(cut((const char *)data + 1, size - 1, 1 + data[0]) ==
	       cut((const char *)data + 1, size - 1, size));
	return 0;
}
