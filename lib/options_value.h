/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_OPTIONS_VALUE_H
#define LIB_OPTIONS_VALUE_H

/* One value of the table; for lib/options*.c only. */

#include "lib/options.h"

/* Every program has these. */
#define OPTIONS_BUILTIN "config", "help", "version", "completion"

void options_clear_value(const struct option_def *def);

/* Read `text` into the value; a list is appended to.  The sentence begins with what is wrong, not the name. */
must_check int options_set_value(const struct option_def *def, const char *text, struct err *err);

/* NULL when there is none of that name (`len` bytes). */
const struct option_def *options_find(const struct options *options, const char *name, size_t len);

/* "; did you mean X?", X with `prefix` before it; or "".  In `buf`, which is returned. */
const char *options_suggest(const struct options *options, const char *prefix, const char *name,
			    size_t len, char buf[128]);

/* Set from a YAML file what `given` (by index in the table) does not say was given already. */
must_check int options_read_file(const struct options *options, const char *path, const bool *given,
				 struct err *err);

#endif
