/* SPDX-License-Identifier: Apache-2.0 */
/* Two documents, split at the first newline: a plan, and a delta to apply to it. */
#include "lib/core/plan/plan.h"
#include "lib/core/limits.h"
#include "lib/core/text/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *parse(const char *text, size_t len)
{
	json_t *json = NULL;
	struct err err;

	return json_parse_bounded(text, len, LIMIT_JSON_DEPTH, &json, &err) < 0 ? NULL : json;
}

/* What was accepted must survive its own JSON. */
static void check_round_trip(const struct plan *plan)
{
	json_auto_t *json = plan_to_json(plan, 0, 1000);
	cleanup(plan_release) struct plan back = { 0 };
	char a[PLAN_HASH_HEX], b[PLAN_HASH_HEX];

	if (plan_from_json(json, 0, &back, NULL) < 0)
		abort();
	plan_hash(plan, a);
	plan_hash(&back, b);
	if (!plan_equal(plan, &back) || strcmp(a, b) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *second = size ? memchr(text, '\n', size) : NULL;
	size_t first_len = second ? (size_t)(second - text) : size;
	json_auto_t *full = parse(text, first_len);
	json_auto_t *delta = second ? parse(second, size - first_len) : NULL;
	cleanup(plan_release) struct plan plan = { 0 };
	cleanup(plan_release) struct plan after = { 0 };
	struct err err = ERR_INIT;

	if (full && plan_from_json(full, 0, &plan, &err) == 0)
		check_round_trip(&plan);
	if (delta && plan_delta_apply(&plan, delta, 0, &after, &err) == 0)
		check_round_trip(&after);
	if (delta && plan_refresh_boosts(&after, json_object_get(delta, "boosts"), 0, &err) < 0)
		return 0;
	return 0;
}
