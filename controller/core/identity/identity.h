/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_IDENTITY_IDENTITY_H
#define CONTROLLER_CORE_IDENTITY_IDENTITY_H

/* Which node an agent is of, by the token that it shows: what is to be asked of the API server, and what
 * follows from its answers and from what the controller knows of the cluster.  Pure.
 *
 * A token is judged at once (it cannot be good; its review is still known), or it becomes a question.
 * IDENTITY_REVIEWS_MAX questions are under review at a time, the others wait in the order they came; each is
 * looked up again when its turn comes.
 */

#include "controller/core/identity/token_cache.h"
#include "controller/core/identity/token_review.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

struct identity;
struct store;

#define IDENTITY_REVIEWS_MAX 64
#define IDENTITY_WAITING_MAX                                                                       \
	256 /* as many as the hub keeps waiting; who comes on top is refused as busy */

struct identity_question {
	struct identity_question *next;
	void *asker;
	char *token; /* a secret; NULL = under review */
	uint8_t key[TOKEN_KEY_BYTES];
	int64_t expires_ns; /* CLOCK_BOOTTIME */
};

struct identity_now {
	int64_t boot_ns, wall_ns;
};

struct identity_verdict {
	enum token_reason reason;
	struct err why; /* when it is not good; nothing of the token is quoted */
	char node[LIMIT_NAME_BYTES + 1], pod_uid[TOKEN_UID_BYTES]; /* when it is good */
	int64_t expires_ns;
};

/* What the API server said to the review. */
struct identity_answer {
	int code;	       /* HTTP; 0 = nothing came */
	const struct err *why; /* when nothing came */
	const char *body;
	size_t len;
};

/* `store` must outlive it; `ns` and `user` are those of the agents' ServiceAccount. */
struct identity *identity_new(const struct store *store, const char *audience, const char *ns,
			      const char *user);
/* With the questions that are left.  NULL is fine. */
void identity_free(struct identity *identity);

/* Who shows `token`?  NULL: *ret_verdict says it.  Else a question that is `asker`'s. */
struct identity_question *identity_ask(struct identity *identity, const char *token, void *asker,
				       const struct identity_now *now,
				       struct identity_verdict *ret_verdict);

/* The question whose turn it is, or NULL when none waits or enough are under review.  It is the caller's to
 * look up, to send or to drop before the next call. */
struct identity_question *identity_next(const struct identity *identity);

/* Is the answer known by now?  True: *ret_verdict says it. */
bool identity_known(struct identity *identity, const struct identity_question *question,
		    int64_t now_boot_ns, struct identity_verdict *ret_verdict);

/* It goes under review: the body of POST TOKEN_REVIEW_PATH, the caller's to wipe and free(). */
char *identity_request(struct identity *identity, struct identity_question *question);

/* What the answer means; it is kept for who shows the same token again. */
void identity_reviewed(struct identity *identity, const struct identity_question *question,
		       const struct identity_answer *answer, int64_t now_boot_ns,
		       struct identity_verdict *ret_verdict);

/* The question is answered, or nobody wants to know any more. */
void identity_drop(struct identity *identity, struct identity_question *question);

/* All of them, oldest first; NULL when there are none. */
struct identity_question *identity_first(const struct identity *identity);

void identity_refuse(struct identity_verdict *verdict, enum token_reason reason, const char *why);

#endif
