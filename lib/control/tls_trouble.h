/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CONTROL_TLS_TROUBLE_H
#define LIB_CONTROL_TLS_TROUBLE_H

/* What is wrong with a TLS connection, as a sentence for a person: whose certificate, which one, and what of it. */

#include "lib/core/base.h"
#include "lib/core/err.h"

#include <openssl/ssl.h>

/* A certificate of `peer` ("the controller", "the agent") was not accepted; from a verify callback.  `name` is the
 * one that it must bear, NULL = any; `ca_file` holds the authorities that count. */
void tls_trouble_of_chain(X509_STORE_CTX *chain, const char *peer, const char *name,
			  const char *ca_file, struct err *ret_why);

/* A fatal alert (SSL_CB_ALERT of an info callback: `where`, `ret`).  False when it says nothing that
 * tls_trouble_of_chain() has not said, or is none. */
bool tls_trouble_of_alert(int where, int ret, const char *peer, const char *own_cert_file,
			  struct err *ret_why);

/* Our own certificate cannot be accepted by anybody now: it has expired, or is not valid yet. */
bool tls_trouble_of_file(const char *cert_file, time_t now_s, struct err *ret_why);

#endif
