/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/watch/json_lines.h"

#include <errno.h>
#include <string.h>

#define ROOM_KEPT (64UL * 1024) /* a buffer that one large object made is given back */

void json_lines_init(struct json_lines *lines, size_t max)
{
	*lines = (struct json_lines){ .max = max };
}

void json_lines_release(struct json_lines *lines)
{
	free(lines->buf);
	*lines = (struct json_lines){ .max = lines->max };
}

void json_lines_reset(struct json_lines *lines)
{
	lines->len = lines->at = lines->seen = 0;
}

/* Move the rest to the front and make room for `more`. */
static void make_room(struct json_lines *lines, size_t more)
{
	size_t rest = lines->len - lines->at;

	if (lines->at && rest)
		memmove(lines->buf, lines->buf + lines->at, rest);
	lines->seen -= lines->at;
	lines->len = rest;
	lines->at = 0;
	if (rest + more > lines->room || (lines->room > ROOM_KEPT && rest + more <= ROOM_KEPT)) {
		lines->room = ROOM_KEPT;
		while (lines->room < rest + more)
			lines->room *= 2;
		lines->buf = xrealloc(lines->buf, lines->room, 1);
	}
}

int json_lines_feed(struct json_lines *lines, const char *data, size_t len, struct err *err)
{
	const char *newline = len ? memchr(data, '\n', len) : NULL;
	size_t first = newline ? (size_t)(newline - data) : len;

	if (!len)
		return 0;
	if (lines->seen == lines->len && lines->len - lines->at + first > lines->max)
		return err_set(err, -EMSGSIZE, "a line of the stream is longer than %zu bytes",
			       lines->max);
	make_room(lines, len);
	memcpy(lines->buf + lines->len, data, len);
	lines->len += len;
	return 0;
}

bool json_lines_next(struct json_lines *lines, const char **ret_line, size_t *ret_len)
{
	while (lines->seen < lines->len) {
		const char *from = lines->buf + lines->seen;
		const char *newline = memchr(from, '\n', lines->len - lines->seen);
		size_t begin = lines->at, end;

		if (!newline) {
			lines->seen = lines->len;
			return false;
		}
		end = (size_t)(newline - lines->buf);
		lines->at = lines->seen = end + 1;
		if (end > begin && lines->buf[end - 1] == '\r')
			end--;
		if (end > begin) {
			*ret_line = lines->buf + begin;
			*ret_len = end - begin;
			return true;
		}
	}
	return false;
}
