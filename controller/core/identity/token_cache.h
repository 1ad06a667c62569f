/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_IDENTITY_TOKEN_CACHE_H
#define CONTROLLER_CORE_IDENTITY_TOKEN_CACHE_H

/* What the API server said of a token, for a minute: agents that come back do not all cost a review.
 *
 * Only the SHA-256 of a token is kept.  Good and bad answers have tables of their own, so garbage does not
 * displace what is good; a full table forgets what would have expired first.  Pure.
 */

#include "controller/core/identity/token_review.h"
#include "lib/core/base.h"

#define TOKEN_CACHE_GOOD 8192 /* answers kept, at most */
#define TOKEN_CACHE_BAD 256
#define TOKEN_CACHE_GOOD_NS (60 * NSEC_PER_SEC)
#define TOKEN_CACHE_BAD_NS (10 * NSEC_PER_SEC)
#define TOKEN_KEY_BYTES 32

struct token_cache;

struct token_answer {
	enum token_reason reason;   /* of the review alone, not of token_place() */
	struct token_claims claims; /* when it is good */
};

struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *cache);

void token_key(const char *token, uint8_t ret_key[TOKEN_KEY_BYTES]);

/* NULL = not known, or too old.  Valid until the next call. */
const struct token_answer *token_cache_get(struct token_cache *cache,
					   const uint8_t key[TOKEN_KEY_BYTES], int64_t now_ns);

/* Keep it for TOKEN_CACHE_GOOD_NS or _BAD_NS, and not beyond `expires_ns`.  What says nothing of the token
 * (TOKEN_UNAVAILABLE, TOKEN_BUSY) is not kept.  `now_ns` does not go back. */
void token_cache_put(struct token_cache *cache, const uint8_t key[TOKEN_KEY_BYTES],
		     const struct token_answer *answer, int64_t expires_ns, int64_t now_ns);

#endif
