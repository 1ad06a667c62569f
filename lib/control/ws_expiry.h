/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CONTROL_WS_EXPIRY_H
#define LIB_CONTROL_WS_EXPIRY_H

/* When certificates end, for whoever watches: PREFIX_certificate_expiry_timestamp_seconds{certificate}, in seconds since the
 * epoch.  "own" is ours, or the one of its chain that ends first; "ca" the last of the authorities that we trust: when
 * that one has ended nobody is let in any more. */

#include <openssl/ssl.h>

struct metrics;
struct metric;

struct ws_expiry {
	struct metric *own, *ca;
};

/* `metrics` may be NULL; `prefix` is such as "rubato_agent". */
void ws_expiry_init(struct ws_expiry *expiry, struct metrics *metrics, const char *prefix);

/* What `ctx` has now.  NULL, and what cannot be read, leaves the last values. */
void ws_expiry_set(const struct ws_expiry *expiry, SSL_CTX *ctx);

#endif
