/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CONTROL_WS_TLS_H
#define LIB_CONTROL_WS_TLS_H

/* The TLS side of lib/control/ws.h: contexts from PEM files, and files that are replaced while we run. */

#include "lib/core/base.h"
#include "lib/core/err.h"

#include <openssl/ssl.h>
#include <time.h>

struct ws_tls_files {
	const char *cert, *key, *ca;
};

/* When the files were last written, to see that they were written again. */
struct ws_tls_stamp {
	struct timespec cert, key, ca;
};

/* All three are given, may be opened and are regular files.  -EINVAL with a sentence that names the one that is not. */
must_check int ws_tls_check_files(const struct ws_tls_files *files, struct err *err);

/* A client's context: TLS 1.2 or newer, our certificate, no other CA than ours, the peer is verified.
 * -EINVAL with a sentence that names the file. */
must_check int ws_tls_client_new(const struct ws_tls_files *files, SSL_CTX **ret_ctx,
				 struct err *err);

void ws_tls_stamp(const struct ws_tls_files *files, struct ws_tls_stamp *ret);

/* If the files changed since `stamp`, have new connections of `ctx` use them; those that stand are
 * left alone.  1 = done, 0 = nothing new, -EINVAL = they do not fit together (yet): the old ones stay
 * and the next call tries again. */
must_check int ws_tls_reload(SSL_CTX *ctx, const struct ws_tls_files *files,
			     struct ws_tls_stamp *stamp, struct err *err);

#endif
