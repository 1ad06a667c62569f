/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_OBSERVE_HTTP_PRIV_H
#define LIB_OBSERVE_HTTP_PRIV_H

/* What the files of the HTTP server share:
 *
 *	http.c		the door: who gets in, who goes, time-outs
 *	http_conn.c	one connection: read the request, send the answer, wait for the peer's end
 *	http_answer.c	what is answered
 */

#include <uv.h>

#include "lib/core/observe/http_request.h"
#include "lib/observe/http.h"

enum http_phase {
	HTTP_READING, /* the request is not all here */
	HTTP_WRITING,
	HTTP_CLOSING, /* all is sent; the peer has not closed yet */
};

/* What remains to be sent. */
struct http_answer {
	char *text;	/* head and body, or head, or one piece of a stream */
	size_t len, at; /* `at` is sent */
	void *stream;	/* open; NULL = there is no more to come */
	bool chunked;
};

struct http_conn {
	struct http *http;
	struct http_conn *prev, *next; /* the first of them goes first */
	uv_poll_t poll;
	int fd;
	bool is_spare; /* took the place of the spare file */
	enum http_phase phase;
	uint64_t since_ms; /* of the last progress: accepted, a piece sent, all sent */
	uint8_t peer[16];  /* its address; of IPv6 the first 64 bits */
	char *in;	   /* HTTP_HEAD_BYTES; NULL once it is answered */
	size_t in_len;
	size_t drained; /* that came behind the request */
	struct http_answer answer;
};

struct http {
	uv_loop_t *loop;
	uv_poll_t poll; /* listens */
	uv_timer_t timer;
	int fd;
	int spare; /* /dev/null, given up for a connection when there are no more files; -1 = it is */
	int handles; /* that the loop still knows */
	int port;
	bool closing, paused; /* paused: nobody is let in until the timer fires */
	struct http_conn *first, *last;
	size_t conn_nr;
	uint64_t idle_ms;
	struct http_options options;
};

/* Takes `fd` over. */
void http_conn_open(struct http *http, int fd, const uint8_t peer[16], bool is_spare);
/* Frees itself when the loop has let go of it; its file is closed when this returns. */
void http_conn_close(struct http_conn *conn);

/* Change where it stands in the order of going. */
void http_conn_first_to_go(struct http_conn *conn);
void http_conn_last_to_go(struct http_conn *conn);

void http_answer_release(struct http *http, struct http_answer *answer);
/* `request` counts only with HTTP_OK. */
void http_answer_make(struct http *http, enum http_verdict verdict,
		      const struct http_request *request, struct http_answer *answer);
/* The next piece of a stream, when all of the one before is sent; false at the end. */
bool http_answer_more(struct http *http, struct http_answer *answer);

#endif
