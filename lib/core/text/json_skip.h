/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_TEXT_JSON_SKIP_H
#define LIB_CORE_TEXT_JSON_SKIP_H

/* Where a value of a JSON text ends, of which nothing else is to be known.  Pure.
 *
 * Of objects and arrays only strings and brackets are looked at, 64 bytes at a time; brackets are counted, not
 * compared.  Nine tenths of what an API server sends is passed over so. */

#include "lib/core/base.h"

static inline bool json_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What is behind the string that begins at `at`, a quote; NULL when the text ends before it does. */
const char *json_skip_string(const char *at, const char *end);

/* What is behind the object or array that begins at `at`.  NULL when the text ends before it does, or when it is
 * nested deeper than `levels` (itself is one), which *ret_too_deep tells. */
const char *json_skip_nested(const char *at, const char *end, size_t levels, bool *ret_too_deep);

#endif
