/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/plan/plan_unknown.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/plan/plan.h"
#include "lib/core/text/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t unknown(const json_t *json)
{
	const char *first = "untouched";
	size_t nr = plan_unknown(json, &first);

	if ((nr == 0) != (first == NULL) || (first && strlen(first) > LIMIT_PLAN_BYTES))
		abort();
	return nr;
}

/* One more that nobody knows is one more. */
static void check_one_more(json_t *json, const char *list)
{
	json_t *object = json_array_get(json_object_get(json, list), 0);
	size_t nr = unknown(json);

	if (!json_is_object(object) || json_object_get(object, "newer"))
		return;
	json_object_set_new(object, "newer", json_true());
	if (unknown(json) != nr + 1)
		abort();
}

/* What came of a plan, as we say it, is known whole. */
static void check_plan(const json_t *json)
{
	cleanup(plan_release) struct plan plan = { 0 };
	json_auto_t *ours = NULL;

	if (plan_from_json(json, 0, &plan, NULL) < 0)
		return;
	ours = plan_to_json(&plan, 0, 1000);
	if (unknown(ours))
		abort();
	check_one_more(ours, "classes");
	check_one_more(ours, "targets");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_auto_t *json = NULL;

	if (json_parse_bounded((const char *)data, size, LIMIT_JSON_DEPTH, &json, NULL) < 0)
		return 0;
	check_plan(json);
	check_one_more(json, "classes");
	check_one_more(json, "targets");
	return 0;
}
