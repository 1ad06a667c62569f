/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_IDENTITY_TOKEN_REVIEW_H
#define CONTROLLER_CORE_IDENTITY_TOKEN_REVIEW_H

/* Which node an agent runs on, by the ServiceAccount token that it shows.  Pure.
 *
 *	token_precheck		before anybody is asked: is it worth it?
 *	token_review_request	the body of POST .../tokenreviews
 *	token_review_read	what the API server says (checks 1 to 5)
 *	token_place		whether the cluster, as we know it now, agrees (5 and 6)
 *
 * What token_review_read() gives may be kept (controller/core/identity/token_cache.h); token_place() is asked each time,
 * since the API server does not check again that pod and node are still what they were.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"
#include "lib/core/limits.h"

#define TOKEN_MAX_BYTES ((size_t)16 * 1024)
#define TOKEN_REVIEW_PATH "/apis/authentication.k8s.io/v1/tokenreviews"
#define TOKEN_REVIEW_MAX_BYTES ((size_t)64 * 1024) /* of the answer; it repeats the token */
#define TOKEN_UID_BYTES 64			   /* with its NUL */

/* Why an agent is refused; token_reason_name() is the metric's label. */
enum token_reason {
	TOKEN_GOOD,
	TOKEN_MISSING,
	TOKEN_TOO_LONG,
	TOKEN_MALFORMED, /* not a JWT that a pod is given */
	TOKEN_EXPIRED,
	TOKEN_AUDIENCE,	     /* not made for us */
	TOKEN_REFUSED,	     /* by the API server */
	TOKEN_USER,	     /* of another ServiceAccount */
	TOKEN_UNBOUND,	     /* not bound to a pod */
	TOKEN_AMBIGUOUS,     /* a claim with no or several values, or with one that is no name */
	TOKEN_POD_GONE,	     /* the pod is deleted, or another one has its name */
	TOKEN_NODE_UNKNOWN,  /* the pod is on no node, or there is no such Node */
	TOKEN_NODE_MISMATCH, /* the pod is on another node, or another machine has the node's name */
	TOKEN_UNAVAILABLE,   /* the API server gives no usable answer */
	TOKEN_BUSY,	     /* too many reviews at a time */
	TOKEN_REASON_NR,
};
const char *token_reason_name(enum token_reason reason);

/* 0 = worth a review.  Nothing here is verified: it saves reviews of what cannot be good. */
must_check enum token_reason token_precheck(const char *token, const char *audience,
					    int64_t now_wall_s, int64_t *ret_exp_wall_s,
					    struct err *err);

/* The caller's to free(); holds the token, so it is not to be logged. */
char *token_review_request(const char *token, const char *audience);

struct token_expect {
	const char *audience;
	const char *user; /* "system:serviceaccount:NS:NAME" */
};

struct token_claims {
	char pod[LIMIT_NAME_BYTES + 1], pod_uid[TOKEN_UID_BYTES];
	char node[LIMIT_NAME_BYTES + 1]; /* "" before Kubernetes 1.30 */
	char node_uid[TOKEN_UID_BYTES];	 /* "" = not said */
};

/* The body of a 201 answer.  *ret_claims is written only when it is good. */
must_check enum token_reason token_review_read(const char *body, size_t len,
					       const struct token_expect *expect,
					       struct token_claims *ret_claims, struct err *err);

/* What the store knows; NULL = there is none. */
struct token_lookup {
	const char *pod_uid;  /* of the pod claims->pod in the agents' namespace */
	const char *pod_node; /* its spec.nodeName */
	const char *node_uid; /* of the Node token_node(); "" = it has none */
};

/* The node whose uid is to be looked up: the claimed one or, by old clusters' tokens, the pod's.  NULL
 * when neither is known. */
const char *token_node(const struct token_claims *claims, const char *pod_node);

/* TOKEN_GOOD: the agent is that of token_node(). */
must_check enum token_reason token_place(const struct token_claims *claims,
					 const struct token_lookup *lookup, struct err *err);

#endif
