/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128

/* Both without brackets; `host` is "" for all addresses. */
static int split(const char *address, char **ret_host, const char **ret_port, struct err *err)
{
	const char *colon = strrchr(address, ':');
	const char *host = address;
	size_t len = colon ? (size_t)(colon - address) : 0;

	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	} else if (colon && memchr(host, ':', len)) {
		colon = NULL;
	}
	if (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")] ||
	    strlen(colon + 1) > 5)
		return err_set(err, -EINVAL,
			       "\"%.100s\" is not HOST:PORT, such as [::1]:9090 or :9090", address);
	*ret_host = xstrndup(host, len);
	*ret_port = colon + 1;
	return 0;
}

static int open_socket(const struct addrinfo *info, bool all)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, v6_only = !all;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (info->ai_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) < 0) ||
	    bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

/* Without a host the IPv6 wildcard takes both families; where IPv6 is off, IPv4 alone. */
static int open_any(const struct addrinfo *list, bool all)
{
	int r = -EADDRNOTAVAIL;

	for (int pass = 0; pass < 2; pass++) {
		for (const struct addrinfo *info = list; info; info = info->ai_next) {
			if ((info->ai_family == AF_INET6) != (pass == 0))
				continue;
			r = open_socket(info, all);
			if (r >= 0 || r == -EADDRINUSE)
				return r;
		}
	}
	return r;
}

int listen_tcp(const char *address, int *ret_fd, struct err *err)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST,
		.ai_socktype = SOCK_STREAM,
	};
	cleanup(freep) char *host = NULL;
	struct addrinfo *list;
	const char *port = NULL, *name;
	int r = split(address, &host, &port, err);

	if (r < 0 || !host)
		return r;
	name = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
	r = getaddrinfo(*name ? name : NULL, port, &hints, &list);
	if (r != 0)
		return err_set(err, -EINVAL, "\"%.100s\": %s", address, gai_strerror(r));
	r = open_any(list, !*host);
	freeaddrinfo(list);
	if (r < 0)
		return err_set(err, r, "%s: %s", address, strerror(-r));
	*ret_fd = r;
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
