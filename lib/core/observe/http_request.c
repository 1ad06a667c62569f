/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/observe/http_request.h"

#include <string.h>

#define METHOD_BYTES 32 /* longer than any that there is */

/* A line, without its end. */
struct line {
	const char *text;
	size_t len;
};

static bool is_token(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_len(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && is_token(text[n]))
		n++;
	return n;
}

/* False when the line has not ended yet. */
static bool take_line(const char **at, const char *end, struct line *ret)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));

	if (!newline)
		return false;
	ret->text = *at;
	ret->len = (size_t)(newline - *at);
	if (ret->len && ret->text[ret->len - 1] == '\r')
		ret->len--;
	*at = newline + 1;
	return true;
}

/* "http://host/path" stands for "/path". */
static bool take_path(const char *target, size_t len, struct http_request *ret)
{
	static const char scheme[] = "http://";
	size_t scheme_len = sizeof(scheme) - 1, n = 0;

	for (size_t i = 0; i < len; i++)
		if (target[i] <= ' ' || target[i] > '~')
			return false;
	if (len > scheme_len && memcmp(target, scheme, scheme_len) == 0) {
		const char *slash = memchr(target + scheme_len, '/', len - scheme_len);

		len = slash ? len - (size_t)(slash - target) : 0;
		target = slash;
	}
	if (!len || target[0] != '/')
		return false;
	while (n < len && target[n] != '?')
		n++;
	ret->path = target;
	ret->path_len = n;
	return true;
}

static enum http_verdict read_version(const char *text, size_t len, struct http_request *ret)
{
	if (len != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' || text[5] < '0' ||
	    text[5] > '9' || text[7] < '0' || text[7] > '9')
		return HTTP_BAD_REQUEST;
	ret->chunked = text[7] != '0';
	return text[5] == '1' ? HTTP_OK : HTTP_VERSION_UNKNOWN;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

/* METHOD SP TARGET SP VERSION */
static enum http_verdict read_request_line(const struct line *line, struct http_request *ret)
{
	size_t method_len = token_len(line->text, line->len);
	const char *target = line->text + method_len + 1, *space;
	enum http_verdict verdict;

	if (!method_len || method_len >= line->len || line->text[method_len] != ' ')
		return HTTP_BAD_REQUEST;
	space = memchr(target, ' ', line->len - method_len - 1);
	if (!space)
		return HTTP_BAD_REQUEST;
	verdict = read_version(space + 1, (size_t)(line->text + line->len - space - 1), ret);
	if (verdict != HTTP_OK)
		return verdict;
	ret->head = is_word(line->text, method_len, "HEAD");
	if (!ret->head && !is_word(line->text, method_len, "GET"))
		return HTTP_METHOD_NOT_ALLOWED;
	return take_path(target, (size_t)(space - target), ret) ? HTTP_OK : HTTP_BAD_REQUEST;
}

/* NAME ":" VALUE; a continued line begins with a space, and is none since RFC 7230. */
static bool is_field(const struct line *line)
{
	size_t name_len = token_len(line->text, line->len);

	if (!name_len || name_len >= line->len || line->text[name_len] != ':')
		return false;
	for (size_t i = name_len + 1; i < line->len; i++) {
		unsigned char c = (unsigned char)line->text[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Can what has come of the request line still become one?  A TLS client need not wait for our time-out. */
static bool may_begin(const char *text, size_t len)
{
	size_t n = token_len(text, len);

	return n < METHOD_BYTES && (n == len || (n > 0 && text[n] == ' '));
}

/* Empty lines before the request are the end of another one's body, to old clients. */
static const char *skip_empty_lines(const char *at, const char *end)
{
	while (at < end && (*at == '\n' || (*at == '\r' && (at + 1 == end || at[1] == '\n'))))
		at++;
	return at;
}

/* HTTP_OK: up to the empty line that ends them. */
static enum http_verdict read_fields(const char *at, const char *end)
{
	struct line line;

	while (take_line(&at, end, &line)) {
		if (!line.len)
			return HTTP_OK;
		if (!is_field(&line))
			return HTTP_BAD_REQUEST;
	}
	return HTTP_MORE;
}

static enum http_verdict read_head(const char *at, const char *end, struct http_request *ret)
{
	enum http_verdict verdict, fields;
	struct line line;

	at = skip_empty_lines(at, end);
	if (!may_begin(at, (size_t)(end - at)))
		return HTTP_BAD_REQUEST;
	if (!take_line(&at, end, &line))
		return HTTP_MORE;
	verdict = read_request_line(&line, ret);
	if (verdict == HTTP_BAD_REQUEST)
		return verdict;
	fields = read_fields(at, end);
	return fields == HTTP_OK ? verdict : fields;
}

enum http_verdict http_request_read(const char *text, size_t len, struct http_request *ret_request)
{
	struct http_request request = { 0 };
	enum http_verdict verdict = read_head(text, text + MIN(len, HTTP_HEAD_BYTES), &request);

	if (verdict == HTTP_OK)
		*ret_request = request;
	return verdict == HTTP_MORE && len >= HTTP_HEAD_BYTES ? HTTP_HEAD_TOO_LARGE : verdict;
}

bool http_request_is(const struct http_request *request, const char *path)
{
	return is_word(request->path, request->path_len, path);
}
