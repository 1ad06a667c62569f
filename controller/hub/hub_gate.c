/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/hub/hub_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/observe/listen.h"

/* When a whole fleet comes back at once, handshakes started together all time out together and start
 * again.  A few at a time pass at full speed, the rest wait in the backlog, and the loop stays free for
 * those who are connected. */

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

int hub_gate_open(struct hub *hub, const char *listen, bool wait, struct err *err)
{
	int r = listen_tcp(listen, wait ? LISTEN_LATER : LISTEN_NOW, &hub->gate.fd, err);

	if (r < 0)
		return err_wrap(err, r, "--listen");
	hub->gate.port = listen_port(hub->gate.fd);
	uv_poll_init(hub->loop, &hub->gate.poll, hub->gate.fd);
	hub->gate.poll.data = hub;
	hub->gate.listening = !wait;
	hub_gate_look(hub);
	return 0;
}

int hub_gate_listen(struct hub *hub, struct err *err)
{
	int r = listen_start(hub->gate.fd, err);

	if (r < 0)
		return err_wrap(err, r, "--listen");
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
