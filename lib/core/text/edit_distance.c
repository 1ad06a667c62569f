/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/text/edit_distance.h"

#include <ctype.h>

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* One row of the table at a time. */
size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[EDIT_WORD_BYTES + 1];

	if (a_len > EDIT_WORD_BYTES || b_len > EDIT_WORD_BYTES)
		return EDIT_FAR;
	for (size_t i = 0; i <= b_len; i++)
		row[i] = i;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t k = 1; k <= b_len; k++) {
			size_t above = row[k];
			size_t change = diagonal + !same(a[i - 1], b[k - 1]);

			row[k] = MIN(change, 1 + MIN(above, row[k - 1]));
			diagonal = above;
		}
	}
	return row[b_len];
}
