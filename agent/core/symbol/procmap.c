/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/symbol/procmap.h"

#include <string.h>
#include <sys/sysmacros.h>

struct cursor {
	const char *at, *end;
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool take_number(struct cursor *cursor, int base, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *first = cursor->at;

	for (; cursor->at < cursor->end; cursor->at++) {
		int d = digit(*cursor->at);

		if (d < 0 || d >= base)
			break;
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)d, &value))
			return false;
	}
	*ret_value = value;
	return cursor->at > first;
}

static bool take_char(struct cursor *cursor, char c)
{
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

static bool take_perms(struct cursor *cursor, bool *ret_executable)
{
	if (cursor->end - cursor->at < 4)
		return false;
	*ret_executable = cursor->at[2] == 'x';
	cursor->at += 4;
	return true;
}

static bool take_escape(struct cursor *cursor, char *ret_char)
{
	unsigned value = 0;

	if (cursor->end - cursor->at < 4 || *cursor->at != '\\')
		return false;
	for (int i = 1; i <= 3; i++) {
		int d = digit(cursor->at[i]);

		if (d < 0 || d > 7)
			return false;
		value = value * 8 + (unsigned)d;
	}
	if (value == 0 || value > 255)
		return false;
	*ret_char = (char)value;
	cursor->at += 4;
	return true;
}

static void take_path(struct cursor *cursor, struct procmap_line *line)
{
	static const char mark[] = " (deleted)";
	size_t mark_len = sizeof(mark) - 1;

	while (take_char(cursor, ' '))
		;
	if ((size_t)(cursor->end - cursor->at) > mark_len &&
	    memcmp(cursor->end - mark_len, mark, mark_len) == 0) {
		cursor->end -= mark_len;
		line->deleted = true;
	}
	while (cursor->at < cursor->end && line->path_len < PROCMAP_PATH_BYTES) {
		char *out = &line->path[line->path_len];

		if (!take_escape(cursor, out))
			*out = *cursor->at++;
		if (*out == '\0')
			break;
		line->path_len++;
	}
	line->path[line->path_len] = '\0';
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static enum procmap_kind kind_of(const struct procmap_line *line)
{
	if (strcmp(line->path, "[vdso]") == 0)
		return PROCMAP_VDSO;
	if (line->ino == 0 || line->path[0] != '/' || begins(line->path, "/memfd:") ||
	    begins(line->path, "/SYSV") || begins(line->path, "/dev/zero") ||
	    begins(line->path, "/anon_hugepage"))
		return PROCMAP_ANON;
	return PROCMAP_FILE;
}

bool procmap_parse(const char *text, size_t len, struct procmap_line *ret_line)
{
	struct cursor cursor = { text, text + len };
	uint64_t major = 0, minor = 0;

	if (len && text[len - 1] == '\n')
		cursor.end--;
	ret_line->path_len = 0;
	ret_line->deleted = false;
	if (!take_number(&cursor, 16, &ret_line->start) || !take_char(&cursor, '-') ||
	    !take_number(&cursor, 16, &ret_line->end) || !take_char(&cursor, ' ') ||
	    !take_perms(&cursor, &ret_line->executable) || !take_char(&cursor, ' ') ||
	    !take_number(&cursor, 16, &ret_line->offset) || !take_char(&cursor, ' ') ||
	    !take_number(&cursor, 16, &major) || !take_char(&cursor, ':') ||
	    !take_number(&cursor, 16, &minor) || !take_char(&cursor, ' ') ||
	    !take_number(&cursor, 10, &ret_line->ino))
		return false;
	if (ret_line->start >= ret_line->end || major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	ret_line->dev = makedev((unsigned)major, (unsigned)minor);
	take_path(&cursor, ret_line);
	ret_line->kind = kind_of(ret_line);
	return true;
}
