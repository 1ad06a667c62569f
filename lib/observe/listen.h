/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_OBSERVE_LISTEN_H
#define LIB_OBSERVE_LISTEN_H

#include "lib/core/base.h"
#include "lib/core/err.h"

enum listen_when {
	LISTEN_NOW,
	LISTEN_LATER, /* bound, so that the port is ours, and who connects is refused until listen_start() */
};

/* A listening TCP socket (non-blocking, close-on-exec) on "HOST:PORT" (lib/core/text/address.h): "127.0.0.1:9090",
 * "[::1]:9090", or ":9090" for all addresses of both families.  HOST is numeric or "localhost"; port 0 = any.
 * -EINVAL with a sentence, or the errno of bind and listen.  The caller closes it. */
must_check int listen_tcp(const char *address, enum listen_when when, int *ret_fd, struct err *err);

must_check int listen_start(int fd, struct err *err);

/* The port a socket is bound to, or 0. */
int listen_port(int fd);

#endif
