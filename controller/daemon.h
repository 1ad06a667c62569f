/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_DAEMON_H
#define CONTROLLER_DAEMON_H

/* rubato-controller at work: the order in which its parts start and stop, and what ties them. */

#include "controller/settings.h"

/* Run until SIGINT or SIGTERM.  Returns the exit status; failures are logged. */
int daemon_run(const struct settings *settings);

#endif
