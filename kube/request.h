/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_REQUEST_H
#define KUBE_REQUEST_H

/* What is asked of the Kubernetes API, and what it answers (http.h sends it). */

#include "lib/core/base.h"
#include "lib/core/err.h"

struct kube_answer {
	int failure; /* 0, or why there is no answer: -ECONNREFUSED, -EPROTO (the server's certificate is
			not good), -ETIMEDOUT, -EACCES (we have no credential), -EMSGSIZE, -EIO */
	struct err err;		/* the sentence, when failure is not 0 */
	int code;		/* HTTP, when failure is 0 */
	int64_t retry_after_ns; /* 0 = not said */
	const char *body; /* borrowed, NUL-terminated; of a stream: only when code is not 200 */
	size_t len;
};

struct kube_request {
	const char *method; /* "GET", "POST", "PATCH" */
	const char *path;   /* "/api/v1/pods?limit=1" */
	const char *body;   /* NULL = none; copied */
	size_t body_len;
	const char *content_type; /* of the body */
	bool exempt;		  /* does not wait for the token bucket */
	bool stream, gzip;
	/* A stream answered with 200: take all of it; no other call of this module from within. */
	void (*piece)(void *ctx, const char *data, size_t len);
	/* Pieces have come since the last time; now any call is allowed. */
	void (*pieces)(void *ctx);
	/* It is over; the call is void afterwards.  Any call is allowed. */
	void (*done)(void *ctx, const struct kube_answer *answer);
	void *ctx;
};

#endif
