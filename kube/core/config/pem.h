/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_CONFIG_PEM_H
#define KUBE_CORE_CONFIG_PEM_H

/* Is it worth handing to TLS?  Files are often read while somebody replaces them: a half or mixed state is found
 * here, and not when a connection fails.  Pure. */

#include "lib/core/base.h"
#include "lib/core/err.h"

/* -EINVAL unless at least one certificate can be read. */
must_check int pem_check_authorities(const char *text, struct err *err);

/* -EINVAL unless the key can be read without a password and is that of the first certificate. */
must_check int pem_check_pair(const char *cert, const char *key, struct err *err);

#endif
