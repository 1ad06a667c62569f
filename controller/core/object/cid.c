/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/object/cid.h"

#include <string.h>

#include "lib/core/text/encode.h"

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
		cid[1 + i / 2] |= (uint8_t)(hex_value(text[i]) << (i % 2 ? 0 : 4));
	return cid;
}

char *cid_text(const uint8_t *cid)
{
	char *text;

	if (!cid)
		return NULL;
	text = xmalloc(2 * cid_bytes(cid) + 1);
	hex_encode(cid + 1, cid_bytes(cid) - 1, text);
	text[cid[0]] = '\0'; /* of an odd number the last half byte is none */
	return text;
}

bool cid_equal(const uint8_t *a, const uint8_t *b)
{
	if (!a || !b)
		return a == b;
	return a[0] == b[0] && memcmp(a, b, cid_bytes(a)) == 0;
}
