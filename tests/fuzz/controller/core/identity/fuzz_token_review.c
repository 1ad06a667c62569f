/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "controller/core/identity/token_review.h"

#define AUDIENCE "rubato-controller"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The answer of the API server, and a token: whatever is accepted keeps its promises. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct token_expect expect = {
		.audience = AUDIENCE, .user = "system:serviceaccount:rubato-system:rubato-agent"
	};
	char *token = xstrndup((const char *)data, size);
	struct token_claims claims;
	struct err err = ERR_INIT;
	int64_t exp_s = -1;

	if (token_review_read((const char *)data, size, &expect, &claims, &err) == TOKEN_GOOD &&
	    (!claims.pod[0] || !claims.pod_uid[0]))
		abort();
	if (token_precheck(token, AUDIENCE, 1000, &exp_s, &err) == TOKEN_GOOD) {
		if (exp_s < 0)
			abort();
		free(token_review_request(token, AUDIENCE));
	}
	free(token);
	return 0;
}
