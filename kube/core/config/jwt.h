/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_CONFIG_JWT_H
#define KUBE_CORE_CONFIG_JWT_H

/* A look into a JSON Web Token without verifying it: good for not asking in vain and for knowing when to
 * ask again, for nothing else.  Pure. */

#include "lib/core/base.h"
#include "lib/core/err.h"

struct jwt_peek {
	bool has_audience;
	int64_t exp_wall_s;
};

/* -EINVAL unless it is three parts of base64url, the second a JSON object with an integer `exp` (tokens
 * of pods have one; the old ones in Secrets, which never expire, do not).  Sentences quote nothing. */
must_check int jwt_peek(const char *token, size_t len, const char *audience,
			struct jwt_peek *ret_peek, struct err *err);

#endif
