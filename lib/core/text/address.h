/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_TEXT_ADDRESS_H
#define LIB_CORE_TEXT_ADDRESS_H

/* HOST:PORT as a person writes it.  Pure: no name is looked up here. */

#include "lib/core/base.h"
#include "lib/core/err.h"

#define ADDRESS_HOST_BYTES 256
#define ADDRESS_PORT_BYTES 6

struct address {
	char host
		[ADDRESS_HOST_BYTES]; /* a name or a number, without brackets; "" = all addresses */
	char port[ADDRESS_PORT_BYTES]; /* decimal, as getaddrinfo() takes it */
};

/* Where to listen: "127.0.0.1:9090", "[::1]:9090", or ":9090" for all addresses; port 0..65535, 0 = any.
 * -EINVAL with a sentence that quotes the text and shows how it is written; `ret` may be NULL. */
must_check int address_to_listen(const char *text, struct address *ret, struct err *err);

/* Where to connect to: the host is needed, the port is 1..65535. */
must_check int address_to_connect(const char *text, struct address *ret, struct err *err);

/* The same as checks of an option (struct option_def in lib/options.h). */
must_check int address_check_listen(const char *text, struct err *err);
must_check int address_check_connect(const char *text, struct err *err);

#endif
