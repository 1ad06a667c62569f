/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_OBSERVE_HTTP_REQUEST_H
#define LIB_CORE_OBSERVE_HTTP_REQUEST_H

/* The head of an HTTP/1 request, read strictly (RFC 9112), of which only the path matters here.  Pure. */

#include "lib/core/base.h"

#define HTTP_HEAD_BYTES ((size_t)8192) /* the longest head */

struct http_request {
	const char *path; /* in the text; begins with '/', without the query; not NUL-terminated */
	size_t path_len;
	bool head;    /* HEAD: no body is wanted */
	bool chunked; /* HTTP/1.1: an answer of unknown length may come in chunks */
};

enum http_verdict {
	HTTP_MORE = 0, /* so far it is a request, and not all of it */
	HTTP_OK = 200, /* GET or HEAD; *ret_request is written */
	HTTP_BAD_REQUEST = 400,
	HTTP_METHOD_NOT_ALLOWED = 405,
	HTTP_HEAD_TOO_LARGE = 431,
	HTTP_VERSION_UNKNOWN = 505,
};

/* Look at all that came since the connection was made.  What stands behind the head is ignored.  What can not become a
 * request is refused as soon as that is seen. */
enum http_verdict http_request_read(const char *text, size_t len, struct http_request *ret_request);

/* Is it this path? */
bool http_request_is(const struct http_request *request, const char *path);

#endif
