/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PUSH_PUSH_ANSWER_H
#define AGENT_CORE_PUSH_PUSH_ANSWER_H

/* What a backend's answer to a push means, by each backend's own rules.  Pure; the answer is an outsider's.
 *
 *	answer					outcome		the profiles
 *	200, 204 (gRPC: and status 0)		OK		are delivered
 *	429, resource_exhausted, 8		RATE_LIMITED	wait; their tenant waits, and its requests become smaller
 *	400, 422, invalid_argument, 3, 11	REJECTED	are sent one by one; one alone is dropped
 *	... that says it is too old		TOO_OLD		the same
 *	413					TOO_LARGE	the same, and batches become smaller
 *	3xx, 401, 403, 404, 405, 501, 7, 12, 16	REFUSED		wait for a minute: it is a matter of settings
 *	Parca's 500 of code 2 (gRPC: 2)		DOUBTFUL	are tried twice more: it may be their content
 *	other 5xx, 408, 499			FAILED		wait; their tenant waits
 *	no answer after sending			FAILED_LINK	wait, all
 *	no connection				UNREACHABLE	wait, all
 *	Pyroscope that names series in its text	PARTIAL		those are sent one by one, the others are delivered
 *						(up to 1.12 it takes a request whole or not at all)
 */

#include "lib/core/base.h"
#include "lib/core/err.h"

#define PUSH_ANSWER_BYTES (64UL * 1024) /* of a body that are read */
#define PUSH_BATCH 32			/* profiles of one request */

enum push_outcome {
	PUSH_OK,
	PUSH_PARTIAL,
	PUSH_RATE_LIMITED,
	PUSH_REJECTED,
	PUSH_TOO_OLD,
	PUSH_TOO_LARGE,
	PUSH_REFUSED,
	PUSH_DOUBTFUL,
	PUSH_FAILED,
	PUSH_FAILED_LINK,
	PUSH_UNREACHABLE,
};

struct push_answer {
	bool connected, answered; /* was there a connection, and an answer to its end? */
	int code;		  /* of HTTP */
	int grpc_status;	  /* -1 = it is no gRPC, or none came */
	bool grpc;
	int64_t retry_after_ns; /* 0 = not said */
	const char *text; /* the body, gRPC's message, or why there is none; not NULL; maybe cut */
	size_t len;
};

struct push_verdict {
	enum push_outcome outcome;
	int64_t retry_after_ns; /* at most PUSH_RETRY_AFTER_MAX_NS; 0 = not said */
	uint32_t failed;	/* PARTIAL: a bit for each series that was not taken */
	bool limited;		/* PARTIAL: since there is a rate limit */
	struct err why;		/* what the backend said, for a person; not of OK */
};

#define PUSH_RETRY_AFTER_MAX_NS (600 * NSEC_PER_SEC)

/* `nr` profiles were sent, at most PUSH_BATCH. */
void push_verdict_of(const struct push_answer *answer, size_t nr, struct push_verdict *ret_verdict);

#endif
