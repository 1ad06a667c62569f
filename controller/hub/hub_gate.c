/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/hub/hub_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/observe/listen.h"

#define SNDBUF_BYTES (64 * 1024) /* a stopped agent must not pin megabytes of kernel memory */
#define TICK_MS 50		 /* between looks at those who stand at the door */
#define TICK_FULL_MS 10		 /* the same while others wait outside */
#define REST_NS (NSEC_PER_SEC / 10)
#define WARN_NS (60 * NSEC_PER_SEC)
#define LINES_MAX 20 /* about failed handshakes, in that time: anybody can cause them */

static void set_int(int fd, int level, int option, int value)
{
	/* These only tune; a kernel that refuses one still serves. */
	if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
		log_debug("setsockopt failed", LOG_INT("option", option), LOG_INT("errno", errno));
}

static bool has_room(const struct hub *hub)
{
	return !hub->closing && hub->gate.listening && !hub->gate.rest_until_ns &&
	       hub->auth_nr < HUB_AUTH_MAX && door_has_room(hub->gate.visitor, hub->gate.nr);
}

/* --- at the door --- */

static bool is_silent(struct lws *wsi)
{
	int unread = 0;

	return ioctl(lws_get_socket_fd(wsi), FIONREAD, &unread) < 0 || unread == 0;
}

static void add(struct hub_gate *gate, struct lws *wsi, const struct sockaddr_storage *from)
{
	struct door_visitor *visitor = &gate->visitor[gate->nr];
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)from)->sin6_addr;

	*visitor = (struct door_visitor){ .since_ns = now_boot_ns(), .silent = is_silent(wsi) };
	if (from->ss_family == AF_INET)
		door_address(&v4->sin_addr, 4, visitor->address);
	else if (IN6_IS_ADDR_V4MAPPED(v6))
		door_address(v6->s6_addr + 12, 4, visitor->address);
	else
		door_address(v6->s6_addr, 16, visitor->address);
	gate->wsi[gate->nr++] = wsi;
}

static void forget(struct hub_gate *gate, size_t i)
{
	gate->nr--;
	memmove(gate->visitor + i, gate->visitor + i + 1,
		(gate->nr - i) * sizeof(gate->visitor[0]));
	memmove(gate->wsi + i, gate->wsi + i + 1, (gate->nr - i) * sizeof(gate->wsi[0]));
}

/* His WSI_DESTROY comes when ws_kill() is done with him. */
static void note_leaving(struct hub *hub, size_t i, const char *reason)
{
	hub->gate.visitor[i].leaving = true;
	metrics_count(hub->metrics, "rubato_controller_turned_out_total",
		      "Connections closed before they were an agent's, by reason.", "reason",
		      reason);
}

/* Whoever goes at once moves those behind him: all are found before one goes. */
static void show_out_crowd(struct hub *hub, int64_t now_ns)
{
	size_t who[DOOR_TURN_OUT];
	struct lws *wsi[DOOR_TURN_OUT];
	size_t nr = door_crowded_out(hub->gate.visitor, hub->gate.nr, now_ns, who);

	for (size_t i = 0; i < nr; i++) {
		wsi[i] = hub->gate.wsi[who[i]];
		note_leaving(hub, who[i], "crowded");
	}
	for (size_t i = 0; i < nr; i++)
		ws_kill(hub->ws, wsi[i]);
}

static void on_tick(uv_timer_t *timer)
{
	struct hub *hub = timer->data;
	struct hub_gate *gate = &hub->gate;
	int64_t now_ns = now_boot_ns();
	ssize_t i;

	for (size_t n = 0; n < gate->nr; n++)
		gate->visitor[n].silent = is_silent(gate->wsi[n]);
	while ((i = door_late(gate->visitor, gate->nr, now_ns)) >= 0) {
		note_leaving(hub, (size_t)i, "late");
		ws_kill(hub->ws, gate->wsi[i]);
	}
	show_out_crowd(hub, now_ns);
	if (now_ns >= gate->rest_until_ns)
		gate->rest_until_ns = 0;
	hub_gate_look(hub);
}

/* --- coming in --- */

/* Whoever was to come in is turned away, and the loop does not spin: the socket stays readable. */
static void on_no_descriptor(struct hub *hub, int error)
{
	struct hub_gate *gate = &hub->gate;
	int64_t now_ns = now_boot_ns();

	metrics_count(hub->metrics, "rubato_controller_accept_failures_total",
		      "Connections that could not be accepted, by errno.", "errno",
		      strerrorname_np(error) ? strerrorname_np(error) : "unknown");
	if (gate->spare >= 0) {
		close(gate->spare);
		close(accept4(gate->fd, NULL, NULL, SOCK_CLOEXEC));
		gate->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	gate->rest_until_ns = now_ns + REST_NS;
	if (gate->warned_ns && now_ns - gate->warned_ns < WARN_NS)
		return;
	gate->warned_ns = now_ns;
	log_warn(
		"no descriptor or memory for another connection, agents are turned away; raise the "
		"limit of open files",
		LOG_STR("err", strerror(error)), LOG_UINT("at_the_door", gate->nr),
		LOG_UINT("agents", hub->conn_nr));
}

static bool accept_one(struct hub *hub)
{
	struct sockaddr_storage from = { .ss_family = AF_INET };
	socklen_t len = sizeof(from);
	int fd =
		accept4(hub->gate.fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct lws *wsi;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			on_no_descriptor(hub, errno);
		else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			log_warn("cannot accept an agent", LOG_STR("err", strerror(errno)));
		return false;
	}
	set_int(fd, SOL_SOCKET, SO_SNDBUF, SNDBUF_BYTES);
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	metric_add(hub->handshakes, 1);
	ws_reload(hub->ws);
	wsi = lws_adopt_socket_vhost(ws_vhost(hub->ws), fd); /* closes fd if it fails */
	if (wsi)
		add(&hub->gate, wsi, &from);
	return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct hub *hub = poll->data;

	if (status < 0 || !(events & UV_READABLE))
		return;
	while (has_room(hub) && accept_one(hub))
		;
	ws_wake(hub->ws);
	hub_gate_look(hub);
}

void hub_gate_look(struct hub *hub)
{
	struct hub_gate *gate = &hub->gate;
	bool want = has_room(hub);

	if (gate->fd < 0)
		return;
	if (want != gate->polling || !uv_is_active((uv_handle_t *)&gate->timer))
		if (gate->nr || gate->rest_until_ns)
			uv_timer_start(&gate->timer, on_tick, want ? TICK_MS : TICK_FULL_MS, 0);
	if (want == gate->polling)
		return;
	gate->polling = want;
	if (want)
		uv_poll_start(&gate->poll, UV_READABLE, on_readable);
	else
		uv_poll_stop(&gate->poll);
}

void hub_gate_passed(struct hub *hub, struct lws *wsi)
{
	for (size_t i = 0; i < hub->gate.nr; i++) {
		if (hub->gate.wsi[i] != wsi)
			continue;
		forget(&hub->gate, i);
		hub_gate_look(hub);
		return;
	}
}

void hub_gate_trouble(void *ctx, const char *address, const char *why)
{
	struct hub *hub = ctx;
	struct hub_gate *gate = &hub->gate;
	int64_t now_ns = now_boot_ns();

	metric_add(hub->handshakes_failed, 1);
	if (now_ns - gate->minute_ns >= WARN_NS) {
		if (gate->unsaid)
			log_warn("more handshakes failed", LOG_UINT("times", gate->unsaid));
		gate->minute_ns = now_ns;
		gate->lines = gate->unsaid = 0;
	}
	if (gate->lines++ < LINES_MAX)
		log_warn("no agent can come in so", LOG_STR("why", why),
			 LOG_STR("address", address));
	else
		gate->unsaid++;
}

int hub_gate_open(struct hub *hub, const char *listen, bool wait, struct err *err)
{
	struct hub_gate *gate = &hub->gate;
	int r = listen_tcp(listen, wait ? LISTEN_LATER : LISTEN_NOW, &gate->fd, err);

	if (r < 0)
		return err_wrap(err, r, "--listen");
	gate->port = listen_port(gate->fd);
	gate->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uv_poll_init(hub->loop, &gate->poll, gate->fd);
	uv_timer_init(hub->loop, &gate->timer);
	gate->poll.data = gate->timer.data = hub;
	gate->listening = !wait;
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
	struct hub_gate *gate = &hub->gate;

	uv_poll_stop(&gate->poll);
	uv_close((uv_handle_t *)&gate->poll, on_closed);
	uv_close((uv_handle_t *)&gate->timer, on_closed);
	close(gate->fd);
	if (gate->spare >= 0)
		close(gate->spare);
	gate->fd = -1;
}
