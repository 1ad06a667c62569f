/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PROBE_H
#define AGENT_PROBE_H

/* What this machine offers the agent, found out by trying. */

#include "lib/core/base.h"

#include <stdio.h>

/* Print a table to `out`: what is there, what is missing, how to get it.  `cgroup_root` may be NULL.
 * Returns whether the agent can sample here; what only costs names or comfort is not held against it. */
bool probe_print(const char *cgroup_root, FILE *out);

#endif
