/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/text/encode.h"

#include <string.h>

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

void hex_encode(const void *bytes, size_t len, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < len; i++) {
		*ret_text++ = digits[byte[i] >> 4];
		*ret_text++ = digits[byte[i] & 15];
	}
	*ret_text = '\0';
}

bool hex_decode(const char *text, void *ret_bytes, size_t len)
{
	uint8_t *byte = ret_bytes;

	for (size_t i = 0; i < len; i++) {
		int high = hex_value(text[2 * i]);
		int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);

		if (low < 0)
			return false;
		byte[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

char *base64_encode(const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;
	char *text = xmalloc(4 * ((len + 2) / 3) + 1);
	char *end = text;

	for (size_t i = 0; i < len; i += 3) {
		size_t nr = MIN(len - i, 3);
		uint32_t word = (uint32_t)byte[i] << 16 |
				(nr > 1 ? (uint32_t)byte[i + 1] << 8 : 0) |
				(nr > 2 ? byte[i + 2] : 0);

		memset(end, '=', 4);
		for (size_t k = 0; k <= nr; k++)
			end[k] = plain[word >> (18 - 6 * k) & 63];
		end += 4;
	}
	*end = '\0';
	return text;
}

/* `last` two characters of the alphabet are 62 and 63. */
static int value_of(char c, const char *last)
{
	const char *at = c ? memchr(plain, c, 62) : NULL;

	if (at)
		return (int)(at - plain);
	return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

static ptrdiff_t decode(const char *text, size_t len, const char *last, uint8_t *byte)
{
	uint32_t bits = 0;
	unsigned bit_nr = 0;
	ptrdiff_t nr = 0;

	if (len % 4 == 1)
		return -1;
	for (size_t i = 0; i < len; i++) {
		int value = value_of(text[i], last);

		if (value < 0)
			return -1;
		bits = (bits << 6 | (uint32_t)value) & 0xffff;
		bit_nr += 6;
		if (bit_nr >= 8) {
			bit_nr -= 8;
			byte[nr++] = (uint8_t)(bits >> bit_nr);
		}
	}
	return nr;
}

ptrdiff_t base64_decode(const char *text, size_t len, void *ret_bytes)
{
	size_t pad = 0;

	if (len % 4)
		return -1;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	return decode(text, len - pad, "+/", ret_bytes);
}

ptrdiff_t base64url_decode(const char *text, size_t len, void *ret_bytes)
{
	return decode(text, len, "-_", ret_bytes);
}

size_t base64url_span(const char *text, size_t len)
{
	size_t nr = 0;

	while (nr < len && value_of(text[nr], "-_") >= 0)
		nr++;
	return nr;
}
