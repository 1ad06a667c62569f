/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/control_client.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/control/control_priv.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/loop.h"

/* Timers of the loop stop while the machine sleeps, the clock of deadlines does not: look again at
 * least this often. */
#define LOOK_AGAIN_NS (5 * NSEC_PER_SEC)
#define FAREWELL_MS 100

static void on_timer(uv_timer_t *timer)
{
	struct control_client *client = timer->data;
	int64_t now_ns = now_boot_ns();

	control_check_boosts(client);
	switch (client_fsm_tick(&client->fsm, now_ns)) {
	case CLIENT_DO_CONNECT:
		control_connect(client);
		break;
	case CLIENT_DO_CLOSE:
		control_abandon(client, "no answer in time");
		break;
	case CLIENT_DO_NOTHING:
		break;
	}
	control_arm(client);
}

void control_arm(struct control_client *client)
{
	int64_t now_ns = now_boot_ns();
	int64_t wake_ns = MIN(client->end_ns, client_fsm_wake_ns(&client->fsm));
	int64_t wait_ns = MIN(MAX(wake_ns - now_ns, 0), LOOK_AGAIN_NS);

	if (client->closing)
		return;
	uv_update_time(client->loop);
	uv_timer_start(&client->timer, on_timer,
		       (uint64_t)((wait_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC), 0);
}

static void make_metrics(struct control_client *client)
{
	struct metrics *m = client->options.metrics;

	client->bytes_in =
		metrics_counter(m, "rubato_agent_control_received_bytes_total",
				"Bytes of messages from the controller.", METRIC_NO_LABELS);
	client->bytes_out =
		metrics_counter(m, "rubato_agent_control_sent_bytes_total",
				"Bytes of messages to the controller.", METRIC_NO_LABELS);
	client->connected =
		metrics_gauge(m, "rubato_agent_control_connected",
			      "1 while in session with a controller.", METRIC_NO_LABELS);
	client->attempts =
		metrics_counter(m, "rubato_agent_control_connects_total",
				"Attempts to connect to the controller.", METRIC_NO_LABELS);
	client->expiries = metrics_counter(m, "rubato_agent_boosts_ended_total",
					   "Boosts that ended on this node by their own clock.",
					   METRIC_NO_LABELS);
}

static char *own(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static void own_options(struct control_client_options *options)
{
	options->controller = own(options->controller);
	options->server_name = own(options->server_name);
	options->cert_file = own(options->cert_file);
	options->key_file = own(options->key_file);
	options->ca_file = own(options->ca_file);
	options->token_file = own(options->token_file);
	options->state_dir = own(options->state_dir);
}

/* The name in our own certificate: what the controller will call us, most likely. */
static void read_own_name(struct control_client *client)
{
	FILE *file = fopen(client->options.cert_file, "re");
	X509 *cert = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;

	if (cert && X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
					      client->node, sizeof(client->node)) < 0)
		client->node[0] = '\0';
	X509_free(cert);
	if (file)
		fclose(file);
}

/* UUIDv7, as OpAMP asks for: sorted by time, the rest random. */
static void make_uid(uint8_t uid[OPAMP_UID_BYTES])
{
	uint64_t ms = (uint64_t)(now_wall_ns() / NSEC_PER_MSEC);
	uint64_t random[2] = { random_u64(), random_u64() };

	memcpy(uid, random, OPAMP_UID_BYTES);
	for (int i = 0; i < 6; i++)
		uid[i] = (uint8_t)(ms >> (40 - 8 * i));
	uid[6] = (uint8_t)((uid[6] & 0x0f) | 0x70);
	uid[8] = (uint8_t)((uid[8] & 0x3f) | 0x80);
}

static void client_release(struct control_client *client)
{
	struct control_client_options *options = &client->options;

	free((char *)options->controller);
	free((char *)options->server_name);
	free((char *)options->cert_file);
	free((char *)options->key_file);
	free((char *)options->ca_file);
	free((char *)options->token_file);
	free((char *)options->state_dir);
	if (client->plan)
		plan_release(client->plan);
	free(client->plan);
	control_token_forget(client);
	ws_message_clear(&client->rx);
}

static int client_open(struct control_client *client, struct err *err)
{
	const struct ws_options ws = {
		.protocols = control_protocols,
		.cert_file = client->options.cert_file,
		.key_file = client->options.key_file,
		.ca_file = client->options.ca_file,
		.user = client,
		.trouble = control_trouble,
		.metrics = client->options.metrics,
		.metrics_prefix = "rubato_agent",
	};
	const char *dir = client->options.state_dir;
	int r = address_to_connect(client->options.controller, &client->controller, err);

	if (r < 0)
		return err_wrap(err, r, "controller");
	if (dir && fs_mkdir_all(dir, 0700, err) < 0)
		log_warn("no state directory, going on without", LOG_ERR(err));
	return ws_new(client->loop, &ws, &client->ws, err);
}

int control_client_new(uv_loop_t *loop, const struct control_client_options *options,
		       const struct control_client_events *events, void *ctx,
		       struct control_client **ret_client, struct err *err)
{
	struct control_client *client = xcalloc(1, sizeof(*client));
	int r;

	*client = (struct control_client){ .loop = loop,
					   .options = *options,
					   .events = *events,
					   .ctx = ctx,
					   .end_ns = INT64_MAX };
	own_options(&client->options);
	make_metrics(client);
	r = client_open(client, err);
	if (r < 0) {
		client_release(client);
		free(client);
		return r;
	}
	make_uid(client->uid);
	read_own_name(client);
	uv_timer_init(loop, &client->timer);
	uv_timer_init(loop, &client->save_timer);
	client->timer.data = client->save_timer.data = client;
	control_load(client);
	control_arm(client);
	*ret_client = client;
	return 0;
}

const char *control_client_node(const struct control_client *client)
{
	return client->node;
}

/* --- the end --- */

static void part_closed(struct control_client *client)
{
	if (--client->handles == 0 && client->done)
		client->done(client->done_ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
	part_closed(handle->data);
}

static void on_ws_closed(void *ctx)
{
	part_closed(ctx);
}

static void on_farewell(uv_timer_t *timer)
{
	struct control_client *client = timer->data;

	if (client->resolving) { /* its callback comes yet; wait for it */
		uv_cancel((uv_req_t *)&client->resolve);
		uv_timer_start(timer, on_farewell, 10, 0);
		return;
	}
	ws_close(client->ws, on_ws_closed, client);
	uv_close((uv_handle_t *)timer, on_handle_closed);
}

void control_client_close(struct control_client *client, void (*done)(void *ctx), void *ctx)
{
	client->closing = true;
	client->done = done;
	client->done_ctx = ctx;
	client->handles = 3; /* two timers, libwebsockets */
	control_save(client);
	uv_close((uv_handle_t *)&client->save_timer, on_handle_closed);
	if (client->wsi && client->in_session) {
		client->leaving = true;
		control_hang_up(client, LWS_CLOSE_STATUS_GOINGAWAY, "the agent goes down");
	}
	uv_timer_start(&client->timer, on_farewell, client->wsi ? FAREWELL_MS : 0, 0);
}

void control_client_free(struct control_client *client)
{
	if (!client)
		return;
	client_release(client);
	ws_free(client->ws);
	free(client);
}
