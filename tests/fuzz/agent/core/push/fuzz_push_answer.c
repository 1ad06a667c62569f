/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "agent/core/push/push_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first bytes are the code and how it came, the rest is what the backend says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct push_answer answer = { .connected = true, .answered = true };
	struct push_verdict verdict;
	size_t nr;

	if (size < 4)
		return 0;
	answer.code = data[0] << 8 | data[1];
	answer.grpc = data[2] & 1;
	answer.grpc_status = (data[2] >> 1) - 1;
	nr = 1 + data[3] % PUSH_BATCH;
	answer.text = (const char *)data + 4;
	answer.len = size - 4;
	push_verdict_of(&answer, nr, &verdict);
	if (verdict.outcome > PUSH_UNREACHABLE ||
	    (verdict.failed && nr < 32 && verdict.failed >> nr))
		abort();
	if ((verdict.outcome == PUSH_PARTIAL) != (verdict.failed != 0))
		abort();
	if (verdict.outcome == PUSH_PARTIAL && (size_t)__builtin_popcount(verdict.failed) >= nr)
		abort();
	if (strlen(verdict.why.text) >= sizeof(verdict.why.text))
		abort();
	return 0;
}
