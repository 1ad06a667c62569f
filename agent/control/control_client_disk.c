/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/control_priv.h"

#include <errno.h>
#include <string.h>

#include "agent/core/plan/lkg.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/loop.h"

#define PLAN_FILE "plan.lkg"
#define EPOCH_FILE "epoch"
#define EPOCH_BYTES 256
#define SAVE_MS 100 /* a burst of plans is one write */

static void read_now(struct lkg_now *now)
{
	cleanup(freep) char *text = NULL;
	struct err err;
	size_t len;

	*now = (struct lkg_now){ .boot_ns = now_boot_ns(), .wall_ns = now_wall_ns() };
	if (fs_read_file("/proc/sys/kernel/random/boot_id", LKG_BOOT_ID_BYTES - 1, &text, &len,
			 &err) == 0)
		memcpy(now->boot_id, text, strcspn(text, "\n"));
}

static char *path_of(const struct control_client *client, const char *name)
{
	return xasprintf("%s/%s", client->options.state_dir, name);
}

static void write_file(const struct control_client *client, const char *name, const char *text)
{
	cleanup(freep) char *path = path_of(client, name);
	struct err err = ERR_INIT;

	if (fs_write_file(path, text, strlen(text), 0600, FS_SYNC, &err) < 0)
		log_warn("state not saved, going on without", LOG_ERR(&err));
}

void control_save_epoch(const struct control_client *client)
{
	cleanup(freep) char *text = NULL;

	if (!client->options.state_dir)
		return;
	text = control_epoch_pack(&client->fsm.newest);
	write_file(client, EPOCH_FILE, text);
}

void control_save(struct control_client *client)
{
	cleanup(freep) char *text = NULL;
	struct lkg_now now;

	if (!client->dirty)
		return;
	client->dirty = false;
	read_now(&now);
	text = lkg_pack(client->plan, &now);
	write_file(client, PLAN_FILE, text);
}

static void on_save_timer(uv_timer_t *timer)
{
	control_save(timer->data);
}

void control_save_soon(struct control_client *client)
{
	if (!client->options.state_dir || client->dirty)
		return;
	client->dirty = true;
	if (!client->closing)
		uv_timer_start(&client->save_timer, on_save_timer, SAVE_MS, 0);
}

static void load_epoch(const struct control_client *client, struct control_epoch *ret)
{
	cleanup(freep) char *path = path_of(client, EPOCH_FILE);
	cleanup(freep) char *text = NULL;
	struct err err = ERR_INIT;
	size_t len;
	int r = fs_read_file(path, EPOCH_BYTES, &text, &len, &err);

	if (r == -ENOENT)
		return;
	if (r < 0 || control_epoch_unpack(text, len, ret, &err) < 0)
		log_warn("the saved epoch is unreadable, ignored", LOG_ERR(&err));
}

static int load_plan(struct control_client *client, struct err *err)
{
	cleanup(freep) char *path = path_of(client, PLAN_FILE);
	cleanup(freep) char *text = NULL;
	struct plan *plan;
	struct lkg_now now;
	size_t len;
	int r = fs_read_file(path, (size_t)LKG_BYTES_MAX, &text, &len, err);

	if (r < 0)
		return r;
	read_now(&now);
	plan = xcalloc(1, sizeof(*plan));
	r = lkg_unpack(text, len, &now, plan, err);
	if (r == 0)
		r = control_apply(client, plan, err);
	if (r < 0) {
		plan_release(plan);
		free(plan);
		return r;
	}
	client->plan = plan;
	control_look_at_boosts(client);
	return 0;
}

void control_load(struct control_client *client)
{
	struct control_epoch newest = { 0 };
	char have[PLAN_HASH_HEX] = "";
	struct err err = ERR_INIT;
	int r = -ENOENT;

	if (client->options.state_dir) {
		load_epoch(client, &newest);
		r = load_plan(client, &err);
	}
	if (r == 0)
		plan_hash(client->plan, have);
	else if (r != -ENOENT)
		log_warn("the saved plan is ignored", LOG_ERR(&err));
	client_fsm_init(&client->fsm, &newest, have, now_boot_ns());
}
