/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_OBSERVE_HTTP_H
#define LIB_OBSERVE_HTTP_H

/* The read-only HTTP server of a daemon, on its loop and without threads:
 *
 *	/metrics	Prometheus text
 *	/healthz	200 "ok" as long as the loop turns
 *	/readyz		200 "ok", or 503 and a sentence that says what is missing
 *	one more	of the daemon's own (struct http_stream)
 *
 * GET and HEAD only (405), other paths 404.  At most 32 connections, 5 s without progress ends one.
 * Nothing secret is served, hence no TLS; --listen decides who can reach it.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"

struct metrics;
struct uv_loop_s;
struct http;

/* A page of any length, made piece by piece as the reader takes it. */
struct http_stream {
	const char *path, *type;
	void *(*open)(void *ctx); /* NULL = not now (503) */
	/* Up to `size` bytes into `buf`; 0 = the end.  Must be quick: nothing else runs meanwhile. */
	size_t (*read)(void *stream, char *buf, size_t size);
	void (*close)(void *stream);
};

struct http_options {
	const char *listen; /* as listen_tcp() takes it */
	struct metrics *metrics;
	/* 0 = ready; negative with a sentence = not.  NULL = always ready. */
	int (*ready)(void *ctx, struct err *err);
	const struct http_stream *stream; /* must outlive the server; NULL = none */
	void *ctx;
};

/* Returns 0, or a negative errno with a sentence. */
must_check int http_new(struct uv_loop_s *loop, const struct http_options *options,
			struct http **ret_http, struct err *err);

int http_port(const struct http *http);

/* Close all connections; frees itself when the loop has let go of it.  http_free(NULL) is a no-op. */
void http_free(struct http *http);

#endif
