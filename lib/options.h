/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_OPTIONS_H
#define LIB_OPTIONS_H

/* One table of options for the command line, the YAML file (--config FILE, same names), --help and
 * --completion bash.
 *
 *	struct settings { char *listen; int64_t window_ns; int log_level; } s;
 *	const struct option_def table[] = {
 *		{ "listen", OPTION_TEXT, &s.listen, .arg = "HOST:PORT", .fallback = ":9090", .group = "Serving",
 *		  .help = "where /metrics is served" },
 *		{ "window", OPTION_DURATION, &s.window_ns, .fallback = "15s", .min = NSEC_PER_SEC,
 *		  .max = 300 * NSEC_PER_SEC, .help = "length of one profile" },
 *		{ "log-level", OPTION_WORD, &s.log_level, .words = log_level_names, .fallback = "info", ... },
 *	};
 *
 * Flags win over the file, the file over the fallbacks.  "--name value" and "--name=value"; a bool is "--name"
 * or "--name=false"; a list is repeated or has commas, in the file it may be a YAML list (whose items may
 * hold commas).  Reads the file;
 * otherwise touches nothing but what the table points at.
 */

#include <stdio.h>

#include "lib/option.h"

struct options {
	const char *program; /* "rubato-agent" */
	const char *summary; /* one line: what it does */
	const char *version;
	const char *example; /* the last part of --help; lines end in \n */
	const struct option_def *def;
	size_t def_nr;
};

/* Fill what the table points at (which is overwritten, not released).
 * Returns 0 to go on; 1 when --help, --version or --completion was answered on stdout; or -EINVAL or the
 * errno of the file, with a sentence that names the flag, or FILE:LINE and the key.  In every case
 * options_release() may be called. */
must_check int options_parse(const struct options *options, int argc, char *const *argv,
			     struct err *err);

/* Free the texts and lists that the table points at, and clear them. */
void options_release(const struct options *options);

void options_print_help(const struct options *options, FILE *out);
void options_print_completion(const struct options *options, FILE *out);

#endif
