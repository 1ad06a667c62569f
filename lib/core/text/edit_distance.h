/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_TEXT_EDIT_DISTANCE_H
#define LIB_CORE_TEXT_EDIT_DISTANCE_H

/* How far a word is from another, for "did you mean".  Pure. */

#include "lib/core/base.h"

#define EDIT_WORD_BYTES ((size_t)64)
#define EDIT_FAR SIZE_MAX

/* The least number of characters put in, taken out or replaced that makes one word the other, letter case aside
 * (Levenshtein).  EDIT_FAR when one is longer than EDIT_WORD_BYTES. */
size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
