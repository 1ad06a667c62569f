/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CHECK_H
#define CONTROLLER_CHECK_H

/* `rubato-controller --source DIR --check`: read the manifests once and print what each policy would do,
 * and what is refused.  For CI of a repository of manifests. */

#include "lib/core/base.h"
#include "lib/core/err.h"

#include <stdio.h>

/* Returns 0 when every file is good, 1 when some are refused (told on `out`), or a negative errno with a
 * sentence when the directory cannot be read. */
must_check int check_source(const char *path, FILE *out, struct err *err);

#endif
