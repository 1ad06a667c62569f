/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/text/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PORT_MAX 65535

/* -1 when it is no number or above every port. */
static long port_of(const char *text)
{
	long port = 0;

	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9' || c - text >= ADDRESS_PORT_BYTES - 1)
			return -1;
		port = 10 * port + (*c - '0');
	}
	return *text && port <= PORT_MAX ? port : -1;
}

/* Without brackets; false when it is none.  A colon without them could be the port's. */
static bool take_host(const char *host, size_t len, char ret_host[ADDRESS_HOST_BYTES])
{
	bool in_brackets = len >= 2 && host[0] == '[' && host[len - 1] == ']';

	if (in_brackets) {
		host++;
		len -= 2;
		if (!memchr(host, ':', len))
			return false;
	} else if (memchr(host, ':', len)) {
		return false;
	}
	if (len >= ADDRESS_HOST_BYTES || strcspn(host, "[] \t\r\n/") < len)
		return false;
	memcpy(ret_host, host, len);
	ret_host[len] = '\0';
	return true;
}

static int parse(const char *text, bool host_needed, const char *example, struct address *ret,
		 struct err *err)
{
	const char *colon = strrchr(text, ':');
	struct address address = { 0 };
	long port;

	if (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")] ||
	    !take_host(text, (size_t)(colon - text), address.host) ||
	    (host_needed && !address.host[0]))
		return err_set(err, -EINVAL, "\"%.100s\" is not HOST:PORT, such as %s", text,
			       example);
	port = port_of(colon + 1);
	if (port < host_needed)
		return err_set(err, -EINVAL, "\"%.100s\": the port is not in %d..%d, such as %s",
			       text, host_needed, PORT_MAX, example);
	snprintf(address.port, sizeof(address.port), "%ld", port);
	if (ret)
		*ret = address;
	return 0;
}

int address_to_listen(const char *text, struct address *ret, struct err *err)
{
	return parse(text, false, "[::1]:9090 or :9090", ret, err);
}

int address_to_connect(const char *text, struct address *ret, struct err *err)
{
	return parse(text, true, "rubato.example.org:4320 or [2001:db8::1]:4320", ret, err);
}

int address_check_listen(const char *text, struct err *err)
{
	return address_to_listen(text, NULL, err);
}

int address_check_connect(const char *text, struct err *err)
{
	return address_to_connect(text, NULL, err);
}
