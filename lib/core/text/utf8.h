/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_TEXT_UTF8_H
#define LIB_CORE_TEXT_UTF8_H

/* One character of text that may not be UTF-8.  Pure. */

#include "lib/core/base.h"

/* The bytes (1..4) of the well-formed character at `text` (len >= 1) and its code point, or 0 when the bytes
 * there are not UTF-8 (overlong forms, surrogates and what is beyond U+10FFFF are not). */
size_t utf8_char(const char *text, size_t len, uint32_t *ret_code);

/* True for what must not reach a terminal or a log as it is: C0, DEL and C1 controls, line and paragraph
 * separators, and the marks that reorder text. */
bool utf8_is_unsafe(uint32_t code);

/* Copy at most size - 1 bytes of `text` to `out`, and a NUL.  What is not UTF-8 or is unsafe becomes '?';
 * no character is cut in half.  `out` may be `text`.  Returns the length. */
size_t utf8_clean(const char *text, size_t len, char *out, size_t size);

#endif
