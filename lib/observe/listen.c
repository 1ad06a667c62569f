/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/core/text/address.h"

#define BACKLOG 4096 /* a fleet may come at once; the kernel's own bound is somaxconn */

static int open_socket(const struct addrinfo *info, bool all, enum listen_when when)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, v6_only = !all;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (info->ai_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) < 0) ||
	    bind(fd, info->ai_addr, info->ai_addrlen) < 0 ||
	    (when == LISTEN_NOW && listen(fd, BACKLOG) < 0))
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

/* Without a host the IPv6 wildcard takes both families; where IPv6 is off, IPv4 alone. */
static int open_any(const struct addrinfo *list, bool all, enum listen_when when)
{
	int r = -EADDRNOTAVAIL;

	for (int pass = 0; pass < 2; pass++) {
		for (const struct addrinfo *info = list; info; info = info->ai_next) {
			if ((info->ai_family == AF_INET6) != (pass == 0))
				continue;
			r = open_socket(info, all, when);
			if (r >= 0 || r == -EADDRINUSE)
				return r;
		}
	}
	return r;
}

int listen_tcp(const char *text, enum listen_when when, int *ret_fd, struct err *err)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST,
		.ai_socktype = SOCK_STREAM,
	};
	struct address address = { 0 };
	struct addrinfo *list;
	const char *host;
	int r = address_to_listen(text, &address, err);

	if (r < 0)
		return r;
	host = strcmp(address.host, "localhost") == 0 ? "127.0.0.1" : address.host;
	r = getaddrinfo(*host ? host : NULL, address.port, &hints, &list);
	if (r != 0)
		return err_set(err, -EINVAL,
			       "\"%.100s\": HOST is a number, localhost, or nothing for all "
			       "addresses: %s",
			       text, gai_strerror(r));
	r = open_any(list, !*host, when);
	freeaddrinfo(list);
	if (r < 0)
		return err_set(err, r, "%s: %s", text, strerror(-r));
	*ret_fd = r;
	return 0;
}

int listen_start(int fd, struct err *err)
{
	if (listen(fd, BACKLOG) < 0)
		return err_set(err, -errno, "port %d: %s", listen_port(fd), strerror(errno));
	return 0;
}

int listen_port(int fd)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return 0;
	if (addr.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
	return addr.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&addr)->sin_port) : 0;
}
