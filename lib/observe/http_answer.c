/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/http_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/observe/metrics.h"

#define PIECE_BYTES ((size_t)16384) /* of a stream at a time */
#define CHUNK_BYTES 16		    /* around it: "4000\r\n", "\r\n" */
#define TEXT_TYPE "text/plain; charset=utf-8"

#define NOT_FOUND 404
#define UNAVAILABLE 503

static const char *reason_of(int status)
{
	switch (status) {
	case HTTP_OK:
		return "OK";
	case HTTP_BAD_REQUEST:
		return "Bad Request";
	case NOT_FOUND:
		return "Not Found";
	case HTTP_METHOD_NOT_ALLOWED:
		return "Method Not Allowed";
	case HTTP_HEAD_TOO_LARGE:
		return "Request Header Fields Too Large";
	case UNAVAILABLE:
		return "Service Unavailable";
	default:
		return "HTTP Version Not Supported";
	}
}

/* `length` is the line that says how long the body is. */
static char *head(int status, const char *type, const char *length)
{
	char date[64];
	time_t now = time(NULL);
	struct tm tm;

	/* Every daemon runs in the C locale. */
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	return xasprintf("HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n%sCache-Control: "
			 "no-store\r\n%sConnection: close\r\n\r\n",
			 status, reason_of(status), date, type, length,
			 status == HTTP_METHOD_NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : "");
}

/* All at once. */
static void put(struct http_answer *answer, int status, const char *type, const char *body,
		bool head_only)
{
	cleanup(freep) char *length = xasprintf("Content-Length: %zu\r\n", strlen(body));
	cleanup(freep) char *top = head(status, type, length);

	answer->text = xasprintf("%s%s", top, head_only ? "" : body);
	answer->len = strlen(answer->text);
}

static void put_text(struct http_answer *answer, int status, const char *text, bool head_only)
{
	cleanup(freep) char *body = xasprintf("%s\n", text);

	put(answer, status, TEXT_TYPE, body, head_only);
}

static void put_ready(const struct http *http, struct http_answer *answer, bool head_only)
{
	struct err err = ERR_INIT;

	if (http->options.ready && http->options.ready(http->options.ctx, &err) < 0)
		put_text(answer, UNAVAILABLE, err.text, head_only);
	else
		put_text(answer, HTTP_OK, "ok", head_only);
}

static void put_stream(const struct http *http, const struct http_request *request,
		       struct http_answer *answer)
{
	const struct http_stream *stream = http->options.stream;

	if (!request->head) {
		answer->stream = stream->open(http->options.ctx);
		if (!answer->stream) {
			put_text(answer, UNAVAILABLE, "not yet", false);
			return;
		}
	}
	answer->chunked = request->chunked;
	answer->text = head(HTTP_OK, stream->type,
			    answer->chunked ? "Transfer-Encoding: chunked\r\n" : "");
	answer->len = strlen(answer->text);
}

static void put_page(const struct http *http, const struct http_request *request,
		     struct http_answer *answer)
{
	if (http->options.metrics && http_request_is(request, "/metrics")) {
		cleanup(freep) char *body = metrics_render(http->options.metrics, NULL);

		put(answer, HTTP_OK, METRICS_CONTENT_TYPE, body, request->head);
	} else if (http_request_is(request, "/healthz")) {
		put_text(answer, HTTP_OK, "ok", request->head);
	} else if (http_request_is(request, "/readyz")) {
		put_ready(http, answer, request->head);
	} else if (http->options.stream && http_request_is(request, http->options.stream->path)) {
		put_stream(http, request, answer);
	} else {
		put_text(answer, NOT_FOUND, "not found; there are /metrics, /healthz and /readyz",
			 request->head);
	}
}

void http_answer_make(struct http *http, enum http_verdict verdict,
		      const struct http_request *request, struct http_answer *answer)
{
	switch (verdict) {
	case HTTP_OK:
		put_page(http, request, answer);
		break;
	case HTTP_METHOD_NOT_ALLOWED:
		put_text(answer, verdict, "only GET and HEAD are served here", false);
		break;
	case HTTP_HEAD_TOO_LARGE:
		put_text(answer, verdict, "the request's head is longer than 8192 bytes", false);
		break;
	case HTTP_VERSION_UNKNOWN:
		put_text(answer, verdict, "only HTTP/1.0 and HTTP/1.1 are served here", false);
		break;
	default:
		put_text(answer, HTTP_BAD_REQUEST, "not an HTTP request (there is no TLS here)",
			 false);
		break;
	}
}

static void end_stream(const struct http *http, struct http_answer *answer)
{
	if (answer->stream)
		http->options.stream->close(TAKE_PTR(answer->stream));
}

bool http_answer_more(struct http *http, struct http_answer *answer)
{
	char *buf, frame[CHUNK_BYTES];
	size_t nr, top = 0;

	if (!answer->stream)
		return false;
	free(answer->text);
	answer->text = buf = xmalloc(PIECE_BYTES + CHUNK_BYTES);
	answer->len = answer->at = 0;
	nr = http->options.stream->read(answer->stream, buf + CHUNK_BYTES / 2, PIECE_BYTES);
	if (nr == 0)
		end_stream(http, answer);
	if (answer->chunked) {
		top = (size_t)snprintf(frame, sizeof(frame), "%zx\r\n", nr);
		memcpy(buf + CHUNK_BYTES / 2 - top, frame, top);
		buf[CHUNK_BYTES / 2 + nr] = '\r';
		buf[CHUNK_BYTES / 2 + nr + 1] = '\n';
	}
	/* The piece begins where its frame does. */
	answer->at = CHUNK_BYTES / 2 - top;
	answer->len = CHUNK_BYTES / 2 + nr + (answer->chunked ? 2 : 0);
	return answer->at < answer->len;
}

void http_answer_release(struct http *http, struct http_answer *answer)
{
	end_stream(http, answer);
	free(answer->text);
	*answer = (struct http_answer){ 0 };
}
