/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/object/cid.h"

#include <string.h>

static uint8_t value_of(char digit)
{
	return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

size_t cid_bytes(const uint8_t *cid)
{
	return 1 + ((size_t)cid[0] + 1) / 2;
}

uint8_t *cid_pack(const char *text)
{
	size_t nr = strlen(text);
	uint8_t *cid = xcalloc(1 + (nr + 1) / 2, 1);

	cid[0] = (uint8_t)nr;
	for (size_t i = 0; i < nr; i++)
		cid[1 + i / 2] |= (uint8_t)(value_of(text[i]) << (i % 2 ? 0 : 4));
	return cid;
}

char *cid_text(const uint8_t *cid)
{
	char *text;

	if (!cid)
		return NULL;
	text = xcalloc((size_t)cid[0] + 1, 1);
	for (size_t i = 0; i < cid[0]; i++)
		text[i] = "0123456789abcdef"[cid[1 + i / 2] >> (i % 2 ? 0 : 4) & 15];
	return text;
}

bool cid_equal(const uint8_t *a, const uint8_t *b)
{
	if (!a || !b)
		return a == b;
	return a[0] == b[0] && memcmp(a, b, cid_bytes(a)) == 0;
}
