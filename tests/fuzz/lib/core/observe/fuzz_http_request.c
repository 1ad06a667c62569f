/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "lib/core/observe/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* However it comes in pieces: once it is decided it stays decided, and a request's path lies in the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum http_verdict before = HTTP_MORE;

	/* Long ones in larger steps, or it would be quadratic. */
	for (size_t len = 0; len <= size; len += 1 + size / 512) {
		struct http_request request = { 0 };
		char *text = xmalloc(len); /* of the very size, so that a read beyond it is seen */
		enum http_verdict verdict;

		memcpy(text, data, len);
		verdict = http_request_read(text, len, &request);
		assert(before == HTTP_MORE || verdict == before);
		assert(verdict != HTTP_MORE || len < HTTP_HEAD_BYTES);
		if (verdict == HTTP_OK) {
			assert(request.path >= text && request.path[0] == '/');
			assert(request.path + request.path_len <= text + len);
		}
		before = verdict;
		free(text);
	}
	return 0;
}
