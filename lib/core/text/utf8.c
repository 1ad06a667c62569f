/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/text/utf8.h"

#include <assert.h>
#include <string.h>

static size_t length_by_first(unsigned char c, uint32_t *bits)
{
	if (c < 0x80)
		return *bits = c, 1;
	if (c >= 0xc2 && c < 0xe0)
		return *bits = c & 0x1f, 2;
	if ((c & 0xf0) == 0xe0)
		return *bits = c & 0x0f, 3;
	if (c >= 0xf0 && c < 0xf5)
		return *bits = c & 0x07, 4;
	return 0;
}

size_t utf8_char(const char *text, size_t len, uint32_t *ret_code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *byte = (const unsigned char *)text;
	uint32_t code;
	size_t nr = length_by_first(byte[0], &code);

	if (!nr || nr > len)
		return 0;
	for (size_t i = 1; i < nr; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte[i] & 0x3f);
	}
	if (code < least[nr] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	*ret_code = code;
	return nr;
}

bool utf8_is_unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f;
}

size_t utf8_clean(const char *text, size_t len, char *out, size_t size)
{
	size_t done = 0, nr;

	assert(size > 0);
	for (size_t at = 0; at < len; at += nr) {
		uint32_t code = 0;
		size_t whole = utf8_char(text + at, len - at, &code);

		nr = MAX(whole, 1);
		if (done + nr >= size)
			break;
		if (whole && !utf8_is_unsafe(code)) {
			memmove(out + done, text + at, nr);
			done += nr;
		} else {
			out[done++] = '?';
		}
	}
	out[done] = '\0';
	return done;
}
