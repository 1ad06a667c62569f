/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/hub/hub_priv.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"

/* When a whole fleet comes back at once, handshakes started together all time out together and start
 * again.  A few at a time pass at full speed, the rest wait in the backlog, and the loop stays free for
 * those who are connected. */

#define BACKLOG 4096
#define SNDBUF_BYTES (64 * 1024) /* a stopped agent must not pin megabytes of kernel memory */

static void set_int(int fd, int level, int option, int value)
{
	/* These only tune; a kernel that refuses one still serves. */
	if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
		log_debug("setsockopt failed", LOG_INT("option", option), LOG_INT("errno", errno));
}

static bool has_room(const struct hub *hub)
{
	return !hub->closing && hub->gate.listening && hub->gate.busy < HUB_GATE_MAX &&
	       hub->auth_nr < HUB_AUTH_MAX;
}

static bool accept_one(struct hub *hub)
{
	int fd = accept4(hub->gate.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct lws *wsi;

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			log_warn("cannot accept an agent", LOG_INT("errno", errno));
		return false;
	}
	set_int(fd, SOL_SOCKET, SO_SNDBUF, SNDBUF_BYTES);
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	metric_add(hub->handshakes, 1);
	ws_reload(hub->ws);
	wsi = lws_adopt_socket_vhost(ws_vhost(hub->ws), fd); /* closes fd if it fails */
	if (wsi) {
		lws_set_opaque_user_data(wsi, hub);
		hub->gate.busy++;
	}
	return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct hub *hub = poll->data;

	if (status < 0 || !(events & UV_READABLE))
		return;
	while (has_room(hub) && accept_one(hub))
		;
	hub_gate_look(hub);
}

void hub_gate_look(struct hub *hub)
{
	bool want = has_room(hub);

	if (want == hub->gate.polling || hub->gate.fd < 0)
		return;
	hub->gate.polling = want;
	if (want)
		uv_poll_start(&hub->gate.poll, UV_READABLE, on_readable);
	else
		uv_poll_stop(&hub->gate.poll);
}

void hub_gate_passed(struct hub *hub, struct lws *wsi)
{
	if (lws_get_opaque_user_data(wsi) != hub)
		return;
	lws_set_opaque_user_data(wsi, NULL);
	hub->gate.busy--;
	hub_gate_look(hub);
}

static int try_bind(const struct addrinfo *info, bool wait)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || (!wait && listen(fd, BACKLOG) < 0)) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

/* The port stands at the same place in an IPv4 and an IPv6 address. */
static int port_of(int fd)
{
	struct sockaddr_in6 address = { .sin6_port = 0 };
	socklen_t len = sizeof(address);

	_Static_assert(offsetof(struct sockaddr_in6, sin6_port) ==
			       offsetof(struct sockaddr_in, sin_port),
		       "see above");
	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return 0;
	return ntohs(address.sin6_port);
}

int hub_gate_open(struct hub *hub, const char *listen, bool wait, struct err *err)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
	char host[WS_HOST_BYTES] = "", port[WS_PORT_BYTES] = "";
	struct addrinfo *info;
	int r = ws_split_address(listen, host, port, err);

	if (r < 0)
		return err_wrap(err, r, "listen");
	r = getaddrinfo(host, port, &hints, &info);
	if (r != 0)
		return err_set(err, -EINVAL, "listen %s: %s", listen, gai_strerror(r));
	r = try_bind(info, wait);
	freeaddrinfo(info);
	if (r < 0)
		return err_set(err, r, "listen %s: %s", listen, strerror(-r));
	hub->gate.fd = r;
	hub->gate.port = port_of(r);
	uv_poll_init(hub->loop, &hub->gate.poll, r);
	hub->gate.poll.data = hub;
	hub->gate.listening = !wait;
	hub_gate_look(hub);
	return 0;
}

int hub_gate_listen(struct hub *hub, struct err *err)
{
	if (listen(hub->gate.fd, BACKLOG) < 0)
		return err_set(err, -errno, "listen on port %d: %s", hub->gate.port,
			       strerror(errno));
	hub->gate.listening = true;
	hub_gate_look(hub);
	return 0;
}

void hub_gate_close(struct hub *hub, uv_close_cb on_closed)
{
	uv_poll_stop(&hub->gate.poll);
	uv_close((uv_handle_t *)&hub->gate.poll, on_closed);
	close(hub->gate.fd);
	hub->gate.fd = -1;
}
