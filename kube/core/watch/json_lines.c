/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/watch/json_lines.h"

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
	lines->passing = lines->passed = false;
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

/* Returns how much of it belongs to a line that is too long. */
static size_t pass(struct json_lines *lines, const char *data, size_t len)
{
	const char *newline = memchr(data, '\n', len);
	size_t nr = newline ? (size_t)(newline - data) : len;

	object_scan_feed(&lines->scan, data, nr);
	lines->passing = !newline;
	lines->passed = newline;
	return nr + (newline != NULL);
}

void json_lines_feed(struct json_lines *lines, const char *data, size_t len)
{
	size_t gone = lines->passing && len ? pass(lines, data, len) : 0;

	if (gone == len)
		return;
	make_room(lines, len - gone);
	memcpy(lines->buf + lines->len, data + gone, len - gone);
	lines->len += len - gone;
}

/* What is held is of a line that is too long: its end has not come, or is at `end`. */
static void begin_to_pass(struct json_lines *lines, size_t end)
{
	object_scan_begin(&lines->scan, true);
	object_scan_feed(&lines->scan, lines->buf + lines->at, end - lines->at);
}

/* Is there a line that was too long? */
static bool passed(struct json_lines *lines, const char **ret_line, size_t *ret_len)
{
	bool is = lines->passed;

	lines->passed = false;
	if (is) {
		*ret_line = NULL;
		*ret_len = 0;
	}
	return is;
}

/* The line that ends at `end`, if it is not empty. */
static bool take(struct json_lines *lines, size_t end, const char **ret_line, size_t *ret_len)
{
	size_t begin = lines->at;

	if (end - begin > lines->max) {
		begin_to_pass(lines, end);
		lines->passed = true;
	}
	lines->at = lines->seen = end + 1;
	if (end > begin && lines->buf[end - 1] == '\r')
		end--;
	*ret_line = lines->buf + begin;
	*ret_len = end - begin;
	return passed(lines, ret_line, ret_len) || end > begin;
}

bool json_lines_next(struct json_lines *lines, const char **ret_line, size_t *ret_len)
{
	if (passed(lines, ret_line, ret_len))
		return true;
	while (lines->seen < lines->len) {
		const char *newline =
			memchr(lines->buf + lines->seen, '\n', lines->len - lines->seen);

		if (newline) {
			if (take(lines, (size_t)(newline - lines->buf), ret_line, ret_len))
				return true;
			continue;
		}
		lines->seen = lines->len;
		if (lines->len - lines->at > lines->max) {
			begin_to_pass(lines, lines->len);
			lines->passing = true;
			lines->at = lines->len;
		}
	}
	return false;
}
