/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_SYMBOL_DEMANGLE_H
#define AGENT_CORE_SYMBOL_DEMANGLE_H

/* C++ and Rust names as people write them: "_ZN3foo3barIiEEvT_" is "foo::bar<int>".  Pure.
 *
 * Parameters and return types are left out, template arguments stay.  The names are a tenant's: input and
 * output are bounded, and a name that would unfold into more is left as it is.
 */

#include "lib/core/base.h"

#define DEMANGLE_INPUT 1023  /* a longer name is left mangled */
#define DEMANGLE_OUTPUT 4096 /* with the NUL */

/* Write the name for `symbol` (NUL-terminated) to `out`: demangled if it is a mangled name, else as it is.
 * The result is valid UTF-8 without control characters (lib/core/text/utf8.h).  Returns its length. */
size_t demangle(const char *symbol, char out[DEMANGLE_OUTPUT]);

#endif
