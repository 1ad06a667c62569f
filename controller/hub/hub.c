/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/hub/hub_priv.h"

#include <errno.h>
#include <string.h>

#include "lib/core/sorted.h"
#include "lib/log.h"
#include "lib/loop.h"

struct hub_plan *hub_plan_ref(struct hub_plan *plan)
{
	plan->refs++;
	return plan;
}

void hub_plan_unref(struct hub_plan *plan)
{
	if (!plan || --plan->refs > 0)
		return;
	free(plan->pack);
	free(plan);
}

/* --- nodes --- */

static int compare_peer(const void *name, const void *peer)
{
	return strcmp(name, (*(struct hub_peer *const *)peer)->name);
}

/* Where `name` is, or where it would be. */
static size_t peer_place(const struct hub *hub, const char *name)
{
	return sorted_place(name, hub->peer, hub->peer_nr, sizeof(struct hub_peer *), compare_peer);
}

static struct hub_peer *peer_find(const struct hub *hub, const char *name)
{
	size_t i = peer_place(hub, name);

	return i < hub->peer_nr && strcmp(hub->peer[i]->name, name) == 0 ? hub->peer[i] : NULL;
}

struct hub_peer *hub_peer_get(struct hub *hub, const char *name)
{
	struct hub_peer *peer = peer_find(hub, name);
	size_t i = peer_place(hub, name);

	if (peer)
		return peer;
	peer = xcalloc(1, sizeof(*peer));
	peer->hub = hub;
	peer->name = xstrdup(name);
	hub_fsm_init(&peer->fsm, hub->ttl_ms);
	peer->fsm.gen = hub->gen_floor;
	GROW(hub->peer, hub->peer_nr);
	memmove(hub->peer + i + 1, hub->peer + i, (hub->peer_nr - i) * sizeof(hub->peer[0]));
	hub->peer[i] = peer;
	hub->peer_nr++;
	return peer;
}

static void peer_free(struct hub_peer *peer)
{
	hub_plan_unref(peer->wanted);
	hub_plan_unref(peer->flight);
	hub_plan_unref(peer->have);
	free(peer->missing);
	free(peer->name);
	free(peer);
}

/* --- time --- */

static void on_timer(uv_timer_t *timer);

static void wake_at(struct hub *hub, int64_t wake_ns, int64_t now_ns)
{
	int64_t wait_ns = MAX(wake_ns - now_ns, 0);

	if (hub->closing || wake_ns >= hub->wake_ns)
		return;
	hub->wake_ns = wake_ns;
	uv_update_time(hub->loop);
	uv_timer_start(&hub->timer, on_timer,
		       (uint64_t)((wait_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC), 0);
}

static void tick_peer(struct hub_peer *peer, int64_t now_ns)
{
	struct hub_conn *conn = peer->conn;
	bool resent = peer->fsm.resent;
	int code = hub_fsm_tick(&peer->fsm, now_ns);

	if (!resent && peer->fsm.resent)
		metrics_count(peer->hub->metrics, "rubato_controller_plan_timeouts_total",
			      "Plans that were not answered in time.", "then", "resent");
	if (code && conn) {
		if (peer->fsm.timed_out)
			snprintf(peer->error, sizeof(peer->error),
				 "the agent did not answer two plans within 3 s each");
		hub_conn_close(conn, code, "no answer in time");
	}
	hub_peer_settle(peer);
}

static void on_timer(uv_timer_t *timer)
{
	struct hub *hub = timer->data;
	int64_t now_ns = now_boot_ns();

	hub->wake_ns = INT64_MAX;
	/* The owner may drop nodes meanwhile: then one is visited late, at the next turn. */
	for (size_t i = 0; i < hub->peer_nr; i++)
		tick_peer(hub->peer[i], now_ns);
}

static void peer_drop(struct hub_peer *peer)
{
	struct hub *hub = peer->hub;
	size_t i = peer_place(hub, peer->name);

	if (peer->conn)
		hub_conn_close(peer->conn, HUB_CLOSE_SUPERSEDED, "the node is no more");
	hub->gen_floor = MAX(hub->gen_floor, peer->fsm.gen);
	memmove(hub->peer + i, hub->peer + i + 1, (hub->peer_nr - i - 1) * sizeof(hub->peer[0]));
	hub->peer_nr--;
	peer_free(peer);
}

/* --- telling the owner --- */

static bool has_news(const struct hub_peer *peer, enum hub_state state)
{
	return state != peer->told_state || strcmp(peer->told_have, peer->fsm.have) != 0 ||
	       peer->clamped != peer->told_clamped || peer->max_rate_hz != peer->told_rate_hz ||
	       peer->missing_news;
}

static void tell(struct hub_peer *peer, int64_t now_ns)
{
	struct hub *hub = peer->hub;
	enum hub_state state = hub_fsm_state(&peer->fsm, now_ns);

	if (hub->closing)
		return;
	if (peer->leaving && state != HUB_PENDING) {
		peer_drop(peer);
		return;
	}
	if (!has_news(peer, state))
		return;
	peer->told_state = state;
	memcpy(peer->told_have, peer->fsm.have, sizeof(peer->told_have));
	peer->told_clamped = peer->clamped;
	peer->told_rate_hz = peer->max_rate_hz;
	peer->missing_news = false;
	if (hub->events.node_changed)
		hub->events.node_changed(hub->ctx, peer->name);
}

void hub_peer_settle(struct hub_peer *peer)
{
	int64_t now_ns = now_boot_ns();

	if (peer->conn && hub_fsm_wants_write(&peer->fsm, now_ns))
		lws_callback_on_writable(peer->conn->wsi);
	else
		wake_at(peer->hub, hub_fsm_wake_ns(&peer->fsm, now_ns), now_ns);
	tell(peer, now_ns);
}

/* --- plans --- */

static bool boosts_run(const struct plan *plan, int64_t now_ns)
{
	for (size_t i = 0; i < plan->boost_nr; i++)
		if (plan->boost[i].expires_ns > now_ns)
			return true;
	return false;
}

/* If both have the same content, they have the same boosts; the boosts are sorted. */
static bool clocks_differ(const struct plan_pack *before, const struct plan *plan)
{
	cleanup(plan_release) struct plan old;

	plan_unpack_boosts(before, &old);
	if (old.boost_nr != plan->boost_nr)
		return true;
	for (size_t i = 0; i < old.boost_nr; i++)
		if (old.boost[i].expires_ns != plan->boost[i].expires_ns)
			return true;
	return false;
}

void hub_set_plan(struct hub *hub, const char *node, struct plan *plan, enum hub_lane lane)
{
	struct hub_peer *peer = hub_peer_get(hub, node);
	struct hub_plan *fresh = xcalloc(1, sizeof(*fresh));
	int64_t now_ns = now_boot_ns();
	bool moved;

	fresh->refs = 1;
	plan_normalize(plan);
	plan_hash(plan, fresh->hash);
	fresh->pack = plan_pack(plan);
	moved = peer->wanted && clocks_differ(peer->wanted->pack, plan);
	hub_fsm_want(&peer->fsm, fresh->hash, boosts_run(plan, now_ns), moved, lane, now_ns);
	plan_release(plan);
	*plan = (struct plan){ 0 };
	hub_plan_unref(peer->wanted);
	peer->wanted = fresh;
	/* A controller that restarted finds its plans in force: each is the next delta's base. */
	if (strcmp(peer->fsm.have, fresh->hash) == 0) {
		hub_plan_unref(peer->have);
		peer->have = hub_plan_ref(fresh);
	}
	peer->leaving = false;
	hub_peer_settle(peer);
}

void hub_drop_node(struct hub *hub, const char *node)
{
	struct hub_peer *peer = peer_find(hub, node);

	if (!peer)
		return;
	peer->leaving = hub_fsm_state(&peer->fsm, now_boot_ns()) == HUB_PENDING;
	if (!peer->leaving)
		peer_drop(peer);
}

bool hub_node_get(const struct hub *hub, const char *node, struct hub_node *ret_node)
{
	const struct hub_peer *peer = peer_find(hub, node);

	if (!peer)
		return false;
	*ret_node = (struct hub_node){
		.node = peer->name,
		.state = hub_fsm_state(&peer->fsm, now_boot_ns()),
		.error = peer->error,
		.wanted_seq = peer->fsm.wanted_seq,
		.applied_seq = peer->fsm.have_seq,
		.clamped = peer->clamped,
		.max_rate_hz = peer->max_rate_hz,
		.missing = peer->missing,
	};
	return true;
}

/* --- life --- */

static void make_metrics(struct hub *hub)
{
	static const double bound[] = { .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5 };

	hub->bytes_in = metrics_counter(hub->metrics, "rubato_controller_received_bytes_total",
					"Bytes of messages from agents.", METRIC_NO_LABELS);
	hub->bytes_out = metrics_counter(hub->metrics, "rubato_controller_sent_bytes_total",
					 "Bytes of messages to agents.", METRIC_NO_LABELS);
	hub->handshakes =
		metrics_counter(hub->metrics, "rubato_controller_accepts_total",
				"Connections accepted on the control port.", METRIC_NO_LABELS);
	hub->handshakes_failed =
		metrics_counter(hub->metrics, "rubato_controller_handshake_failures_total",
				"TLS handshakes that failed.", METRIC_NO_LABELS);
	hub->stale = metrics_counter(hub->metrics, "rubato_controller_agents_stale_total",
				     "Agents that hung up, having obeyed a newer controller.",
				     METRIC_NO_LABELS);
	hub->confirm_seconds = metrics_histogram(
		hub->metrics, "rubato_controller_plan_confirm_seconds",
		"From sending a plan to the agent's confirmation that it is in force.",
		METRIC_NO_LABELS, bound, ARRAY_SIZE(bound));
}

static void announce(const struct hub *hub)
{
	log_info("listening for agents", LOG_INT("port", hub->gate.port),
		 LOG_INT("epoch_t", hub->epoch.t), LOG_INT("epoch_n", hub->epoch.n));
}

int hub_new(uv_loop_t *loop, const struct hub_options *options, const struct hub_events *events,
	    void *ctx, struct hub **ret_hub, struct err *err)
{
	struct hub *hub = xcalloc(1, sizeof(*hub));
	const struct ws_options ws = {
		.protocols = hub_protocols,
		.is_server = true,
		.cert_file = options->cert_file,
		.key_file = options->key_file,
		.ca_file = options->ca_file,
		.user = hub,
		.trouble = hub_gate_trouble,
		.metrics = options->metrics,
		.metrics_prefix = "rubato_controller",
	};
	int r;

	*hub = (struct hub){ .loop = loop,
			     .events = *events,
			     .ctx = ctx,
			     .epoch = options->epoch,
			     .ttl_ms = options->ttl_ms,
			     .wake_ns = INT64_MAX,
			     .authenticate = options->authenticate,
			     .is_node = options->is_node,
			     .auth_ctx = options->auth_ctx,
			     .metrics = options->metrics };
	make_metrics(hub);
	r = ws_new(loop, &ws, &hub->ws, err);
	if (r < 0) {
		free(hub);
		return r;
	}
	r = hub_gate_open(hub, options->listen, options->wait, err);
	if (r < 0) {
		ws_close(hub->ws, NULL, NULL);
		free(hub);
		return r;
	}
	uv_timer_init(loop, &hub->timer);
	hub->timer.data = hub;
	if (!options->wait)
		announce(hub);
	*ret_hub = hub;
	return 0;
}

int hub_open(struct hub *hub, const struct control_epoch *epoch, struct err *err)
{
	int r;

	hub->epoch = *epoch;
	r = hub_gate_listen(hub, err);
	if (r == 0)
		announce(hub);
	return r;
}

int hub_port(const struct hub *hub)
{
	return hub->gate.port;
}

static void part_closed(struct hub *hub)
{
	if (--hub->handles == 0 && hub->done)
		hub->done(hub->done_ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
	part_closed(handle->data);
}

static void on_ws_closed(void *ctx)
{
	part_closed(ctx);
}

/* The farewells have had their time. */
static void on_farewell(uv_timer_t *timer)
{
	struct hub *hub = timer->data;

	ws_close(hub->ws, on_ws_closed, hub);
	uv_close((uv_handle_t *)timer, on_handle_closed);
}

void hub_close(struct hub *hub, void (*done)(void *ctx), void *ctx)
{
	hub->closing = true;
	hub->done = done;
	hub->done_ctx = ctx;
	hub->handles = HUB_GATE_HANDLES + 2; /* the timer, libwebsockets */
	hub_gate_close(hub, on_handle_closed);
	for (size_t i = 0; i < hub->peer_nr; i++)
		if (hub->peer[i]->conn)
			hub_conn_close(hub->peer[i]->conn, HUB_CLOSE_DRAIN,
				       "the controller goes down");
	uv_timer_start(&hub->timer, on_farewell, hub->conn_nr ? 200 : 0, 0);
}

void hub_free(struct hub *hub)
{
	if (!hub)
		return;
	for (size_t i = 0; i < hub->peer_nr; i++)
		peer_free(hub->peer[i]);
	free(hub->peer);
	ws_free(hub->ws);
	free(hub);
}
