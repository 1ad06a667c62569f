/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_OPTIONS_PRIV_H
#define LIB_OPTIONS_PRIV_H

/* What options.c and options_file.c share. */

#include "lib/options.h"

/* NULL when there is none of that name (`len` bytes). */
const struct option_def *options_find(const struct options *options, const char *name, size_t len);

/* "; did you mean X?", X with `prefix` before it; or "".  In `buf`, which is returned. */
const char *options_suggest(const struct options *options, const char *prefix, const char *name,
			    size_t len, char buf[128]);

/* Set from a YAML file what `given` (by index in the table) does not say was given already. */
must_check int options_read_file(const struct options *options, const char *path, const bool *given,
				 struct err *err);

#endif
