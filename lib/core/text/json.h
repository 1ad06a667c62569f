/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_TEXT_JSON_H
#define LIB_CORE_TEXT_JSON_H

/* JSON from outside: parse it within a depth, and read members with a sentence when they are wrong.
 *
 * jansson recurses once per level of nesting, so the depth is counted before it sees a byte.
 * Strings that are read here are UTF-8 (jansson's promise) without control characters, which could
 * otherwise forge log lines and terminal output.  Sentences begin with the member's name; a caller
 * that is deeper in a document puts the path in front with err_wrap().  Pure.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"

#include <jansson.h>

/* jansson's own macro says `cleanup`, which is ours; include this file rather than <jansson.h>. */
#undef json_auto_t
#define json_auto_t json_t cleanup(json_decrefp)

/* Parse one JSON value (any type) of `len` bytes.  Duplicate members are refused.
 * Returns 0 and a new reference, or -EINVAL. */
must_check int json_parse_bounded(const char *buf, size_t len, size_t depth_max, json_t **ret,
				  struct err *err);

/* No control characters (C0, DEL, C1) in `len` bytes of valid UTF-8. */
bool json_text_is_plain(const char *text, size_t len);

/* A required string member of at most `max` bytes; "" is accepted.  Borrowed from `obj`. */
must_check int json_get_text(const json_t *obj, const char *key, size_t max, const char **ret_text,
			     struct err *err);

/* The same, but "" is refused. */
must_check int json_get_name(const json_t *obj, const char *key, size_t max, const char **ret_name,
			     struct err *err);

/* The same for an optional member: absent and null are NULL. */
must_check int json_get_opt_name(const json_t *obj, const char *key, size_t max,
				 const char **ret_name, struct err *err);

/* A required integer member within min..max. */
must_check int json_get_int(const json_t *obj, const char *key, int64_t min, int64_t max,
			    int64_t *ret_value, struct err *err);

/* An optional array member of at most `max` elements; absent and null are NULL.  Borrowed. */
must_check int json_get_array(const json_t *obj, const char *key, size_t max,
			      const json_t **ret_array, struct err *err);

/* For what is built by us and fails only without memory (or with text that is not UTF-8, which is a
 * broken promise of the caller): returns its argument, ends the process on NULL. */
json_t *json_must(json_t *json);

#endif
