/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_PLAN_PLAN_JSON_H
#define LIB_CORE_PLAN_PLAN_JSON_H

/* The parts of a plan as JSON, for lib/core/plan/plan_json.c and lib/core/plan/plan_delta.c only; others use
 * lib/core/plan/plan.h. */

#include "lib/core/plan/plan.h"

json_t *plan_class_to_json(const struct plan_class *cls);
json_t *plan_target_to_json(const struct plan_target *target);
json_t *plan_boosts_to_json(const struct plan *plan, int64_t now_ns, int64_t ttl_ms);

/* Append the elements of the array member `key` of `obj` (absent = none) to the plan's array.  On
 * failure the plan holds what was read so far and is the caller's to release. */
must_check int plan_classes_from_json(const json_t *obj, const char *key, struct plan *plan,
				      struct err *err);
must_check int plan_targets_from_json(const json_t *obj, const char *key, struct plan *plan,
				      struct err *err);
must_check int plan_boosts_from_json(const json_t *obj, const char *key, int64_t now_ns,
				     struct plan *plan, struct err *err);

/* Read {"id","expires_in_ms","ttl_ms"} as deadlines; ret_id is borrowed from `item`. */
must_check int plan_boost_from_json(const json_t *item, int64_t now_ns, const char **ret_id,
				    struct plan_boost *ret_clock, struct err *err);

#endif
