/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_TEXT_ENCODE_H
#define LIB_CORE_TEXT_ENCODE_H

/* Bytes as text and back: hex, and base64 of RFC 4648 in both alphabets.  Pure. */

#include "lib/core/base.h"

/* What a digit of either case stands for, 0..15; -1 when it is none. */
int hex_value(char digit);

/* Write `len` bytes as 2 * len lower-case digits and a NUL. */
void hex_encode(const void *bytes, size_t len, char *ret_text);

/* Read 2 * len digits of either case into `len` bytes.  False, and something or nothing is written, when one is no
 * digit (a NUL is none: no more is read than the text has). */
must_check bool hex_decode(const char *text, void *ret_bytes, size_t len);

/* Base64 with padding ("+/", section 4).  The caller frees it. */
char *base64_encode(const void *bytes, size_t len);

/* The two decoders write at most BASE64_BYTES(len) bytes into ret_bytes and give their number; -1 when `text` is not
 * base64 from its first to its last byte: no white space, no other alphabet, no padding but where it belongs.
 * As most decoders do they let the last character's unused bits be anything. */
#define BASE64_BYTES(len) (((len) / 4 + 1) * 3)

/* With padding (section 4). */
must_check ptrdiff_t base64_decode(const char *text, size_t len, void *ret_bytes);

/* Of the URL's alphabet, "-_", without padding (section 5), as in a JSON Web Token. */
must_check ptrdiff_t base64url_decode(const char *text, size_t len, void *ret_bytes);

/* How many bytes of `text` lead it that are in the URL's alphabet. */
size_t base64url_span(const char *text, size_t len);

#endif
