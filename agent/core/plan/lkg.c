/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/plan/lkg.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/text/encode.h"
#include "lib/core/text/json.h"

#define MAGIC "rubato-plan 1 "
#define SUM_HEX 64
#define HEAD_BYTES (sizeof(MAGIC) - 1 + SUM_HEX + 1)
#define WALL_BACK_NS (300 * NSEC_PER_SEC)

static void sum_hex(const char *text, size_t len, char ret_hex[SUM_HEX + 1])
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned sum_len = 0;

	if (EVP_Digest(text, len, sum, &sum_len, EVP_sha256(), NULL) != 1)
		abort();
	hex_encode(sum, SUM_HEX / 2, ret_hex);
}

static json_t *clocks_to_json(const struct plan *plan, const struct lkg_now *now)
{
	json_t *clocks = json_must(json_array());
	int64_t to_wall = now->wall_ns - now->boot_ns;

	for (size_t i = 0; i < plan->boost_nr; i++) {
		const struct plan_boost *boost = &plan->boost[i];

		json_array_append_new(
			clocks,
			json_must(json_pack(
				"{s:s, s:I, s:I, s:I, s:I}", "id", boost->id, "expires_boot_ns",
				(json_int_t)boost->expires_ns, "dead_man_boot_ns",
				(json_int_t)boost->dead_man_ns, "expires_wall_ns",
				(json_int_t)boost->expires_ns + to_wall, "dead_man_wall_ns",
				(json_int_t)boost->dead_man_ns + to_wall)));
	}
	return clocks;
}

char *lkg_pack(const struct plan *plan, const struct lkg_now *now)
{
	cleanup(json_decrefp) json_t *json = json_must(
		json_pack("{s:s, s:I, s:o, s:o}", "boot_id", now->boot_id, "saved_wall_ns",
			  (json_int_t)now->wall_ns, "clocks", clocks_to_json(plan, now), "plan",
			  plan_to_json(plan, now->boot_ns, 1)));
	cleanup(freep) char *body = json_dumps(json, JSON_COMPACT);
	char hex[SUM_HEX + 1];

	if (!body)
		abort();
	sum_hex(body, strlen(body), hex);
	return xasprintf(MAGIC "%s\n%s", hex, body);
}

/* One clock as it stands now; never more than a boost may last. */
static int64_t restore(int64_t boot_ns, int64_t wall_ns, bool same_boot, const struct lkg_now *now)
{
	int64_t left_ns;

	if (__builtin_sub_overflow(same_boot ? boot_ns : wall_ns,
				   same_boot ? now->boot_ns : now->wall_ns, &left_ns))
		left_ns = 0;
	left_ns = MIN(MAX(left_ns, 0), LIMIT_BOOST_NS_MAX);
	return now->boot_ns + left_ns;
}

static int restore_clock(const json_t *item, bool same_boot, bool wall_is_sane,
			 const struct lkg_now *now, struct plan *plan)
{
	struct plan_boost *boost;
	int64_t expires_boot, dead_boot, expires_wall, dead_wall;
	struct err err;
	const char *id;

	if (json_get_name(item, "id", LIMIT_PLAN_ID_BYTES, &id, &err) < 0 ||
	    json_get_int(item, "expires_boot_ns", 0, INT64_MAX, &expires_boot, &err) < 0 ||
	    json_get_int(item, "dead_man_boot_ns", 0, INT64_MAX, &dead_boot, &err) < 0 ||
	    json_get_int(item, "expires_wall_ns", 0, INT64_MAX, &expires_wall, &err) < 0 ||
	    json_get_int(item, "dead_man_wall_ns", 0, INT64_MAX, &dead_wall, &err) < 0)
		return -EINVAL;
	boost = plan_find_boost(plan, id);
	if (!boost || (!same_boot && !wall_is_sane))
		return 0;
	boost->expires_ns = restore(expires_boot, expires_wall, same_boot, now);
	boost->dead_man_ns = restore(dead_boot, dead_wall, same_boot, now);
	return 0;
}

static int restore_clocks(const json_t *json, const struct lkg_now *now, struct plan *plan,
			  struct err *err)
{
	const json_t *clocks, *item;
	const char *boot_id;
	int64_t saved_wall;
	bool same_boot;
	size_t i;

	if (json_get_text(json, "boot_id", LKG_BOOT_ID_BYTES, &boot_id, err) < 0 ||
	    json_get_int(json, "saved_wall_ns", 0, INT64_MAX, &saved_wall, err) < 0 ||
	    json_get_array(json, "clocks", LIMIT_PLAN_BOOSTS, &clocks, err) < 0)
		return -EINVAL;
	same_boot = boot_id[0] && strcmp(boot_id, now->boot_id) == 0;
	/* What no clock below restores is over. */
	for (i = 0; i < plan->boost_nr; i++)
		plan->boost[i].expires_ns = plan->boost[i].dead_man_ns = now->boot_ns;
	json_array_foreach(
		clocks, i,
		item) if (restore_clock(item, same_boot, now->wall_ns >= saved_wall - WALL_BACK_NS,
					now, plan) <
			  0) return err_set(err, -EINVAL, "clocks[%zu]: not a boost's clock", i);
	return 0;
}

static int check_sum(const char *text, size_t len, struct err *err)
{
	char hex[SUM_HEX + 1];

	if (len <= HEAD_BYTES || len > (size_t)LKG_BYTES_MAX ||
	    memcmp(text, MAGIC, sizeof(MAGIC) - 1) != 0 || text[HEAD_BYTES - 1] != '\n')
		return err_set(err, -EINVAL, "not a saved plan");
	sum_hex(text + HEAD_BYTES, len - HEAD_BYTES, hex);
	if (memcmp(text + sizeof(MAGIC) - 1, hex, SUM_HEX) != 0)
		return err_set(err, -EINVAL, "damaged: the checksum does not fit");
	return 0;
}

int lkg_unpack(const char *text, size_t len, const struct lkg_now *now, struct plan *ret_plan,
	       struct err *err)
{
	cleanup(json_decrefp) json_t *json = NULL;
	cleanup(plan_release) struct plan plan = { 0 };

	if (check_sum(text, len, err) < 0 || json_parse_bounded(text + HEAD_BYTES, len - HEAD_BYTES,
								LIMIT_JSON_DEPTH, &json, err) < 0)
		return -EINVAL;
	if (!json_is_object(json))
		return err_set(err, -EINVAL, "not a JSON object");
	if (plan_from_json(json_object_get(json, "plan"), now->boot_ns, &plan, err) < 0 ||
	    restore_clocks(json, now, &plan, err) < 0)
		return -EINVAL;
	*ret_plan = plan;
	plan = (struct plan){ 0 };
	return 0;
}
