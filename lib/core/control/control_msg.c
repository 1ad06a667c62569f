/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/control/control_msg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/text/json.h"

#define MS_MAX (7LL * 24 * 3600 * 1000)

static const char *const result_name[] = {
	[CONTROL_OK] = "ok",
	[CONTROL_PARTIAL] = "partial",
	[CONTROL_FAILED] = "failed",
};

static const char *const reason_name[] = {
	[CONTROL_REASON_NONE] = "",	  [CONTROL_REASON_BASE] = "base",
	[CONTROL_REASON_HASH] = "hash",	  [CONTROL_REASON_INVALID] = "invalid",
	[CONTROL_REASON_APPLY] = "apply", [CONTROL_REASON_STALE] = "stale-epoch",
};

const char *control_reason_name(enum control_reason reason)
{
	return reason_name[reason];
}

int control_epoch_cmp(const struct control_epoch *a, const struct control_epoch *b)
{
	if (a->t != b->t)
		return a->t < b->t ? -1 : 1;
	return a->n < b->n ? -1 : a->n > b->n;
}

json_t *control_epoch_to_json(const struct control_epoch *epoch)
{
	return json_must(
		json_pack("{s:I, s:I}", "t", (json_int_t)epoch->t, "n", (json_int_t)epoch->n));
}

int control_epoch_from_json(const json_t *json, struct control_epoch *ret, struct err *err)
{
	const json_t *member = json_object_get(json, "epoch");
	struct control_epoch epoch;

	if (!json_is_object(member))
		return err_set(err, -EPROTO, "epoch: not an object");
	if (json_get_int(member, "t", 0, INT64_MAX, &epoch.t, err) < 0 ||
	    json_get_int(member, "n", 0, INT64_MAX, &epoch.n, err) < 0)
		return err_wrap(err, -EPROTO, "epoch");
	*ret = epoch;
	return 0;
}

char *control_epoch_pack(const struct control_epoch *epoch)
{
	return xasprintf("{\"epoch\":{\"t\":%lld,\"n\":%lld}}\n", (long long)epoch->t,
			 (long long)epoch->n);
}

int control_epoch_unpack(const char *text, size_t len, struct control_epoch *ret, struct err *err)
{
	cleanup(json_decrefp) json_t *json = NULL;

	if (json_parse_bounded(text, len, 4, &json, err) < 0)
		return -EPROTO;
	return control_epoch_from_json(json, ret, err);
}

static char *dump(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return text ? text : xstrdup("{}");
}

static void set(json_t *json, const char *key, json_t *value)
{
	json_object_set_new(json, key, json_must(value));
}

/* --- to a body --- */

char *control_session_pack(const struct control_session *session)
{
	json_t *json = json_must(json_object());

	set(json, "epoch", control_epoch_to_json(&session->epoch));
	set(json, "ttl_ms", json_integer(session->ttl_ms));
	set(json, "spread_ms", json_integer(session->spread_ms));
	set(json, "node", json_string(session->node));
	return dump(json);
}

bool control_missing_has(const struct control_missing *missing, const char *ns)
{
	if (!missing || !missing->cgroups)
		return false;
	for (size_t i = 0; i < missing->ns_nr; i++)
		if (strcmp(missing->ns[i], ns) == 0)
			return true;
	return missing->more;
}

bool control_missing_equal(const struct control_missing *a, const struct control_missing *b)
{
	bool equal = a->cgroups == b->cgroups && a->ns_nr == b->ns_nr && a->more == b->more;

	for (size_t i = 0; equal && i < a->ns_nr; i++)
		equal = strcmp(a->ns[i], b->ns[i]) == 0;
	return equal;
}

static json_t *missing_to_json(const struct control_missing *missing)
{
	json_t *json = json_must(json_object()), *list = json_must(json_array());

	set(json, "cgroups", json_integer((json_int_t)missing->cgroups));
	for (size_t i = 0; i < missing->ns_nr; i++)
		json_array_append_new(list, json_must(json_string(missing->ns[i])));
	set(json, "namespaces", list);
	set(json, "more", json_boolean(missing->more));
	return json;
}

char *control_applied_pack(const struct control_applied *applied)
{
	json_t *json = json_must(json_object());

	set(json, "epoch", control_epoch_to_json(&applied->epoch));
	set(json, "gen", json_integer(applied->gen));
	set(json, "hash", json_string(applied->hash));
	set(json, "have", json_string(applied->have));
	set(json, "result", json_string(result_name[applied->result]));
	set(json, "max_rate_hz", json_integer(applied->max_rate_hz));
	if (applied->reason)
		set(json, "reason", json_string(reason_name[applied->reason]));
	if (applied->error[0])
		set(json, "errors", json_pack("[s]", applied->error));
	if (applied->missing.cgroups)
		set(json, "missing", missing_to_json(&applied->missing));
	return dump(json);
}

static void set_head(json_t *json, const struct control_head *head)
{
	set(json, "epoch", control_epoch_to_json(&head->epoch));
	set(json, "gen", json_integer(head->gen));
	set(json, "hash", json_string(head->hash));
	if (head->base[0])
		set(json, "base", json_string(head->base));
}

char *control_plan_pack(const struct control_head *head, const struct plan *plan, int64_t now_ns,
			uint32_t ttl_ms)
{
	json_t *json = plan_to_json(plan, now_ns, ttl_ms);

	set_head(json, head);
	return dump(json);
}

char *control_delta_pack(const struct control_head *head, const struct plan *from,
			 const struct plan *to, int64_t now_ns, uint32_t ttl_ms)
{
	json_t *json = plan_delta_to_json(from, to, now_ns, ttl_ms);

	set_head(json, head);
	return dump(json);
}

char *control_ttl_pack(const struct control_epoch *epoch, const struct plan *plan, int64_t now_ns,
		       uint32_t ttl_ms)
{
	struct plan clocks = { .boost = plan->boost, .boost_nr = plan->boost_nr };
	json_t *json = plan_to_json(&clocks, now_ns, ttl_ms);

	json_object_del(json, "classes");
	json_object_del(json, "targets");
	set(json, "epoch", control_epoch_to_json(epoch));
	return dump(json);
}

/* --- from a body --- */

static bool is_hash(const char *text)
{
	return strlen(text) == PLAN_HASH_HEX - 1 &&
	       strspn(text, "0123456789abcdef") == PLAN_HASH_HEX - 1;
}

/* An optional hash: absent and "" are "". */
static int get_hash(const json_t *json, const char *key, char *ret_hex, struct err *err)
{
	const json_t *member = json_object_get(json, key);
	const char *text = json_string_value(member);

	ret_hex[0] = '\0';
	if (!member || json_is_null(member) || (text && !text[0]))
		return 0;
	if (!text || !is_hash(text))
		return err_set(err, -EPROTO, "%s: not a hash", key);
	memcpy(ret_hex, text, PLAN_HASH_HEX);
	return 0;
}

static int parse(const char *body, size_t len, json_t **ret, struct err *err)
{
	cleanup(json_decrefp) json_t *json = NULL;

	if (json_parse_bounded(body, len, LIMIT_JSON_DEPTH, &json, err) < 0)
		return -EPROTO;
	if (!json_is_object(json))
		return err_set(err, -EPROTO, "not a JSON object");
	*ret = TAKE_PTR(json);
	return 0;
}

int control_session_unpack(const char *body, size_t len, struct control_session *ret,
			   struct err *err)
{
	cleanup(json_decrefp) json_t *json = NULL;
	struct control_session session = { 0 };
	int64_t ttl, spread;
	const char *node;

	if (parse(body, len, &json, err) < 0 ||
	    control_epoch_from_json(json, &session.epoch, err) < 0 ||
	    json_get_int(json, "ttl_ms", 1, MS_MAX, &ttl, err) < 0 ||
	    json_get_int(json, "spread_ms", 0, MS_MAX, &spread, err) < 0 ||
	    json_get_name(json, "node", LIMIT_NAME_BYTES, &node, err) < 0)
		return err_wrap(err, -EPROTO, CONTROL_SESSION);
	session.ttl_ms = (uint32_t)ttl;
	session.spread_ms = (uint32_t)spread;
	memcpy(session.node, node, strlen(node) + 1);
	*ret = session;
	return 0;
}

static int index_of(const char *const *names, size_t nr, const char *name)
{
	for (size_t i = 0; i < nr; i++)
		if (name && strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

/* The first sentence of `errors`, cut at a character; it was made for people. */
static void get_error(const json_t *json, char *room, size_t size)
{
	const char *text = json_string_value(json_array_get(json_object_get(json, "errors"), 0));
	size_t len = text ? strlen(text) : 0;

	if (len >= size)
		for (len = size - 1; len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80;)
			len--;
	if (!text || !json_text_is_plain(text, len))
		len = 0;
	snprintf(room, size, "%.*s", (int)len, len ? text : "");
}

/* An optional member.  More namespaces than we keep, or what is no name, is "more". */
static int get_missing(const json_t *json, struct control_missing *ret, struct err *err)
{
	const json_t *missing = json_object_get(json, "missing"), *list, *name;
	int64_t nr;
	size_t i;

	if (!missing)
		return 0;
	if (!json_is_object(missing) ||
	    json_get_int(missing, "cgroups", 1, INT64_MAX, &nr, err) < 0)
		return err_set(err, -EPROTO, "missing: no number of cgroups");
	ret->cgroups = (uint64_t)nr;
	ret->more = json_is_true(json_object_get(missing, "more"));
	list = json_object_get(missing, "namespaces");
	json_array_foreach(list, i, name)
	{
		size_t len = json_string_length(name);

		if (ret->ns_nr == CONTROL_MISSING_NAMESPACES || len == 0 || len > LIMIT_NAME_BYTES)
			ret->more = true;
		else
			memcpy(ret->ns[ret->ns_nr++], json_string_value(name), len + 1);
	}
	return 0;
}

int control_applied_unpack(const char *body, size_t len, struct control_applied *ret,
			   struct err *err)
{
	cleanup(json_decrefp) json_t *json = NULL;
	struct control_applied applied = { 0 };
	const char *result;
	int64_t rate;
	int r;

	if (parse(body, len, &json, err) < 0 ||
	    control_epoch_from_json(json, &applied.epoch, err) < 0 ||
	    json_get_int(json, "gen", 0, INT64_MAX, &applied.gen, err) < 0 ||
	    get_hash(json, "hash", applied.hash, err) < 0 ||
	    get_hash(json, "have", applied.have, err) < 0 ||
	    json_get_int(json, "max_rate_hz", 0, UINT32_MAX, &rate, err) < 0 ||
	    json_get_name(json, "result", 16, &result, err) < 0 ||
	    get_missing(json, &applied.missing, err) < 0)
		return err_wrap(err, -EPROTO, CONTROL_APPLIED);
	/* What we do not know is no success. */
	r = index_of(result_name, ARRAY_SIZE(result_name), result);
	applied.result = r < 0 ? CONTROL_FAILED : (enum control_result)r;
	r = index_of(reason_name, ARRAY_SIZE(reason_name),
		     json_string_value(json_object_get(json, "reason")));
	if (applied.result == CONTROL_FAILED)
		applied.reason = r <= 0 ? CONTROL_REASON_APPLY : (enum control_reason)r;
	applied.max_rate_hz = (uint32_t)rate;
	get_error(json, applied.error, sizeof(applied.error));
	*ret = applied;
	return 0;
}

int control_head_unpack(const char *body, size_t len, struct control_head *ret_head,
			json_t **ret_json, struct err *err)
{
	cleanup(json_decrefp) json_t *json = NULL;
	struct control_head head = { 0 };

	if (parse(body, len, &json, err) < 0 ||
	    control_epoch_from_json(json, &head.epoch, err) < 0 ||
	    get_hash(json, "base", head.base, err) < 0 ||
	    get_hash(json, "hash", head.hash, err) < 0)
		return -EPROTO;
	if (json_object_get(json, "gen") &&
	    json_get_int(json, "gen", 1, INT64_MAX, &head.gen, err) < 0)
		return -EPROTO;
	*ret_head = head;
	*ret_json = TAKE_PTR(json);
	return 0;
}
