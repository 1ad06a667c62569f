/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_TEXT_RFC3339_H
#define LIB_CORE_TEXT_RFC3339_H

/* Times as Kubernetes writes them: "2026-01-31T12:00:00Z". */

#include "lib/core/base.h"

#define RFC3339_MAX 32

/* Years outside 0..9999 are written as the nearest end. */
void rfc3339_format(int64_t wall_s, char ret_text[RFC3339_MAX]);

/* With optional fraction (ignored) and "Z" or "+hh:mm"/"-hh:mm".  0 or -EINVAL. */
must_check int rfc3339_parse(const char *text, int64_t *ret_wall_s);

#endif
