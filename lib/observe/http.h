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
 * GET and HEAD only (405), other paths 404, one request per connection.  Nothing secret is served, hence no TLS;
 * --listen decides who can reach it.
 *
 * Nobody shuts others out by holding connections.  A request is to be there whole, and a piece of the answer to be taken,
 * within HTTP_IDLE_MS.  When an address (of IPv6: a /64) has HTTP_PER_ADDRESS_MAX connections, or all have
 * HTTP_CONNECTIONS_MAX, a new one is let in and the one that has been silent for longest goes; who has asked when he
 * is let in is answered at once.  When the process has no more files, one kept in reserve still lets somebody in.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"

#define HTTP_CONNECTIONS_MAX 128
#define HTTP_PER_ADDRESS_MAX 32
#define HTTP_IDLE_MS 5000

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
	unsigned idle_ms; /* instead of HTTP_IDLE_MS; 0 = that */
};

/* Returns 0, or a negative errno with a sentence. */
must_check int http_new(struct uv_loop_s *loop, const struct http_options *options,
			struct http **ret_http, struct err *err);

int http_port(const struct http *http);

/* Close all connections; frees itself when the loop has let go of it.  http_free(NULL) is a no-op. */
void http_free(struct http *http);

#endif
