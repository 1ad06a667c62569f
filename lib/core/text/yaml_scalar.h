/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_TEXT_YAML_SCALAR_H
#define LIB_CORE_TEXT_YAML_SCALAR_H

/* What a plain (unquoted) YAML 1.1 scalar means; for lib/core/text/yaml.c.  Pure. */

#include "lib/core/text/json.h"

/* `text` is `len` bytes of UTF-8 with a NUL behind them.  A new reference, or NULL when it is a number that JSON
 * cannot hold (.inf, .nan, 1e999). */
json_t *yaml_scalar_resolve(const char *text, size_t len);

#endif
