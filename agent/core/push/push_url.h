/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PUSH_PUSH_URL_H
#define AGENT_CORE_PUSH_PUSH_URL_H

/* A backend's URL as a person writes it: SCHEME://HOST[:PORT][/PATH].  Pure.
 *
 * Schemes are http and https; for Parca also grpc and grpcs, which say that it is spoken to by gRPC. */

#include "agent/core/push/push_body.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

/* -EINVAL with a sentence that shows how it is written. */
must_check int push_url_check_pyroscope(const char *text, struct err *err);
must_check int push_url_check_parca(const char *text, struct err *err);

/* How a checked URL of Parca is spoken to. */
enum push_wire push_url_wire(const char *url);
bool push_url_is_tls(const char *url);

/* What libcurl is given: http or https, and the path of the call behind it.  The caller frees it. */
char *push_url_make(const char *url, enum push_wire wire);

/* "NAME: VALUE" of a header that is ours to add: -EINVAL with a sentence when it is none. */
must_check int push_header_check(const char *text, struct err *err);
/* A name of a header alone. */
must_check int push_header_name_check(const char *text, struct err *err);

#endif
