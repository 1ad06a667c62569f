/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_TEXT_DURATION_H
#define LIB_CORE_TEXT_DURATION_H

/* Durations as Go writes them: "15m", "1h30m", "1.5s", "500ms", "-2us", "0".  Units: ns, us (also with a
 * micro sign), ms, s, m, h.  Pure. */

#include "lib/core/base.h"
#include "lib/core/err.h"

/* The whole of `text` (NUL-terminated) is one duration that fits in int64 nanoseconds.
 * Returns 0, or -EINVAL: "\"5x\" is not a duration such as 15s"; -ERANGE when it does not fit. */
must_check int duration_parse(const char *text, int64_t *ret_ns, struct err *err);

#define DURATION_TEXT_MAX 64

/* As Go's Duration.String() does it: "15m0s", "1.5s", "500ms", "0s". */
void duration_format(int64_t ns, char ret_text[DURATION_TEXT_MAX]);

#endif
