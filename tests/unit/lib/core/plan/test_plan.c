/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/plan/plan.h"
#include "lib/core/limits.h"
#include "lib/core/text/json.h"
#include "tests/unit/lib/random_plan.h"

#define NOW (5000 * NSEC_PER_SEC)
#define TTL_MS 90000

static json_t *parse(const char *text)
{
	json_t *json;
	struct err err = ERR_INIT;

	if (json_parse_bounded(text, strlen(text), LIMIT_JSON_DEPTH, &json, &err) < 0)
		fail_msg("%s", err.text);
	return json;
}

static void check_refused(const char *text, const char *sentence)
{
	json_auto_t *json = parse(text);
	struct plan plan = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(plan_from_json(json, NOW, &plan, &err), -EINVAL);
	assert_string_equal(err.text, sentence);
	assert_int_equal(plan.cls_nr, 0);
}

#define CLASS_A "{\"id\":\"a\",\"steps\":[{\"hz\":19,\"caps\":[\"cpu\"]}]}"

static void a_wrong_plan_names_the_member(void **state)
{
	(void)state;
	check_refused("[]", "a plan must be a JSON object");
	check_refused("{\"classes\":{}}", "classes: must be a list");
	check_refused("{\"classes\":[{}]}", "classes[0]: id: is missing");
	check_refused("{\"classes\":[{\"id\":\"a\"}]}",
		      "classes[0]: steps: must have at least one");
	check_refused("{\"classes\":[{\"id\":\"a\",\"steps\":[{\"hz\":201}]}]}",
		      "classes[0]: steps[0]: hz: 201 is not in 0..200");
	check_refused("{\"classes\":[{\"id\":\"a\",\"steps\":[{\"hz\":1.5}]}]}",
		      "classes[0]: steps[0]: hz: must be an integer");
	check_refused("{\"classes\":[{\"id\":\"a\",\"steps\":[{\"hz\":1,\"caps\":[1]}]}]}",
		      "classes[0]: steps[0]: caps[0]: must be a string");
	check_refused("{\"classes\":[{\"id\":\"a\",\"steps\":[{\"hz\":1,\"boosts\":[\"b\"]}]}]}",
		      "classes[0]: steps[0]: the last step must name no boost");
	check_refused("{\"classes\":[{\"id\":\"a\",\"steps\":[{\"hz\":9,\"boosts\":[\"b\"]},{"
		      "\"hz\":1}]}]}",
		      "class \"a\": boost \"b\" has no clock in \"boosts\"");
	check_refused("{\"targets\":[{\"uid\":\"u\",\"ns\":\"n\",\"pod\":\"p\",\"class\":\"b\"}]}",
		      "target \"u\": class \"b\" does not exist");
	check_refused("{\"targets\":[{\"uid\":\"u\\u0007\"}]}",
		      "targets[0]: uid: has control characters");
	check_refused(
		"{\"classes\":[" CLASS_A "],\"targets\":[{\"uid\":\"u\",\"ns\":\"n\",\"pod\":"
		"\"p\",\"class\":\"a\",\"containers\":[{\"name\":\"c\",\"cgroup\":\"/a/../b\"}]}]}",
		"targets[0]: containers[0]: cgroup: must be an absolute path without \"..\"");
	check_refused("{\"boosts\":[{\"id\":\"b\",\"expires_in_ms\":-1,\"ttl_ms\":1}]}",
		      "boosts[0]: expires_in_ms: -1 is not in 0..86400000");
}

static void deadlines_count_from_now(void **state)
{
	json_auto_t *json =
		parse("{\"boosts\":[{\"id\":\"b\",\"expires_in_ms\":900000,\"ttl_ms\":90000}]}");
	cleanup(plan_release) struct plan plan = { 0 };
	const struct plan_boost *boost;

	(void)state;
	assert_int_equal(plan_from_json(json, NOW, &plan, NULL), 0);
	boost = plan_find_boost(&plan, "b");
	assert_non_null(boost);
	assert_true(boost->expires_ns == NOW + 900 * NSEC_PER_SEC);
	assert_true(boost->dead_man_ns == NOW + 90 * NSEC_PER_SEC);
}

static void members_of_a_newer_controller_are_ignored(void **state)
{
	json_auto_t *json = parse("{\"classes\":[" CLASS_A "],\"colour\":1}");
	cleanup(plan_release) struct plan plan = { 0 };

	(void)state;
	assert_int_equal(plan_from_json(json, NOW, &plan, NULL), 0);
	assert_int_equal(plan.cls_nr, 1);
}

static void sort_keeps_the_first_of_equal_ids(void **state)
{
	json_auto_t *json = parse("{\"classes\":[{\"id\":\"b\",\"steps\":[{\"hz\":1}]},"
				  "{\"id\":\"a\",\"steps\":[{\"hz\":2}]},"
				  "{\"id\":\"b\",\"steps\":[{\"hz\":3}]}]}");
	cleanup(plan_release) struct plan plan = { 0 };

	(void)state;
	assert_int_equal(plan_from_json(json, NOW, &plan, NULL), 0);
	assert_int_equal(plan.cls_nr, 2);
	assert_string_equal(plan.cls[0].id, "a");
	assert_int_equal(plan_find_class(&plan, "b")->step[0].rate_hz, 1);
	assert_null(plan_find_class(&plan, "c"));
}

/* The canonical form of docs/protocol.md, made by jansson. */
static void hash_by_jansson(const struct plan *plan, char hex[PLAN_HASH_HEX])
{
	json_auto_t *json = plan_to_json(plan, NOW, TTL_MS);
	unsigned char hash[PLAN_HASH_BYTES];
	char *text;

	json_object_del(json, "boosts");
	text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	assert_int_equal(EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL), 1);
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	free(text);
}

static void assert_same(const struct plan *a, const struct plan *b)
{
	char hash_a[PLAN_HASH_HEX], hash_b[PLAN_HASH_HEX];

	assert_true(plan_equal(a, b));
	plan_hash(a, hash_a);
	plan_hash(b, hash_b);
	assert_string_equal(hash_a, hash_b);
	assert_int_equal(a->boost_nr, b->boost_nr);
	for (size_t i = 0; i < a->boost_nr; i++) {
		assert_string_equal(a->boost[i].id, b->boost[i].id);
		assert_true(a->boost[i].expires_ns == b->boost[i].expires_ns);
	}
}

static void the_hash_is_that_of_the_canonical_json(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 300; i++) {
		cleanup(plan_release) struct plan plan;
		char ours[PLAN_HASH_HEX], theirs[PLAN_HASH_HEX];

		random_plan(&seed, NOW, &plan);
		plan_hash(&plan, ours);
		hash_by_jansson(&plan, theirs);
		assert_string_equal(ours, theirs);
	}
}

static void the_hash_of_odd_characters_is_that_of_jansson(void **state)
{
	struct plan_step step = { .rate_hz = 1 };
	char id[] = "\b\f\n\r\t\x01\x1f\x7f/\"\\\xc3\xa4";
	struct plan_class cls = { .id = id, .step = &step, .step_nr = 1 };
	struct plan plan = { .cls = &cls, .cls_nr = 1 };
	char ours[PLAN_HASH_HEX], theirs[PLAN_HASH_HEX];

	(void)state;
	plan_hash(&plan, ours);
	hash_by_jansson(&plan, theirs);
	assert_string_equal(ours, theirs);
}

static void json_brings_every_plan_back(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (int i = 0; i < 300; i++) {
		cleanup(plan_release) struct plan plan, back, copy;
		json_auto_t *json = NULL;
		struct err err = ERR_INIT;

		random_plan(&seed, NOW, &plan);
		json = plan_to_json(&plan, NOW, TTL_MS);
		if (plan_from_json(json, NOW, &back, &err) < 0)
			fail_msg("%s", err.text);
		plan_copy(&copy, &back);
		assert_same(&plan, &back);
		assert_same(&plan, &copy);
	}
}

static void a_delta_leads_from_one_plan_to_the_other(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 500; i++) {
		cleanup(plan_release) struct plan from, to, applied;
		json_auto_t *delta = NULL;
		struct err err = ERR_INIT;

		random_plan(&seed, NOW, &from);
		random_plan(&seed, NOW, &to);
		delta = plan_delta_to_json(&from, &to, NOW, TTL_MS);
		if (plan_delta_apply(&from, delta, NOW, &applied, &err) < 0)
			fail_msg("%s", err.text);
		assert_same(&to, &applied);
	}
}

static void a_rate_change_is_a_small_delta(void **state)
{
	uint64_t seed = 4;
	cleanup(plan_release) struct plan from, to;
	json_auto_t *delta = NULL;

	(void)state;
	random_plan(&seed, NOW, &from);
	plan_copy(&to, &from);
	to.cls[0].step[0].rate_hz ^= 1;
	assert_false(plan_equal(&from, &to));
	delta = plan_delta_to_json(&from, &to, NOW, TTL_MS);
	assert_int_equal(json_array_size(json_object_get(json_object_get(delta, "classes"), "set")),
			 1);
	assert_int_equal(json_array_size(json_object_get(json_object_get(delta, "targets"), "set")),
			 0);
}

static void a_delta_that_leaves_a_target_without_class_is_refused(void **state)
{
	json_auto_t *full =
		parse("{\"classes\":[" CLASS_A "],\"targets\":[{\"uid\":\"u\",\"ns\":\"n\","
		      "\"pod\":\"p\",\"class\":\"a\"}]}");
	json_auto_t *delta = parse("{\"classes\":{\"del\":[\"a\"]}}");
	cleanup(plan_release) struct plan plan = { 0 };
	struct plan after;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(plan_from_json(full, NOW, &plan, NULL), 0);
	assert_int_equal(plan_delta_apply(&plan, delta, NOW, &after, &err), -EINVAL);
	assert_string_equal(err.text, "target \"u\": class \"a\" does not exist");
	assert_int_equal(plan.cls_nr, 1);
}

static void a_refresh_moves_the_clocks_of_known_boosts(void **state)
{
	json_auto_t *json =
		parse("{\"boosts\":[{\"id\":\"b\",\"expires_in_ms\":9000,\"ttl_ms\":90}]}");
	json_auto_t *good = parse("[{\"id\":\"b\",\"expires_in_ms\":8000,\"ttl_ms\":90},"
				  "{\"id\":\"x\",\"expires_in_ms\":1,\"ttl_ms\":1}]");
	json_auto_t *bad = parse("[{\"id\":\"b\",\"expires_in_ms\":1,\"ttl_ms\":1},{}]");
	cleanup(plan_release) struct plan plan = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(plan_from_json(json, NOW, &plan, NULL), 0);
	assert_int_equal(plan_refresh_boosts(&plan, good, NOW + NSEC_PER_SEC, NULL), 1);
	assert_true(plan.boost[0].expires_ns == NOW + 9 * NSEC_PER_SEC);
	assert_true(plan.boost[0].dead_man_ns == NOW + NSEC_PER_SEC + 90 * NSEC_PER_MSEC);
	assert_int_equal(plan_refresh_boosts(&plan, bad, NOW, &err), -EINVAL);
	assert_string_equal(err.text, "boosts[1]: id: is missing");
	assert_true(plan.boost[0].expires_ns == NOW + 9 * NSEC_PER_SEC);
}

static void depth_is_refused_before_it_costs(void **state)
{
	char text[4096];
	struct err err = ERR_INIT;
	json_t *json;

	(void)state;
	memset(text, '[', sizeof(text));
	assert_int_equal(json_parse_bounded(text, sizeof(text), 16, &json, &err), -EINVAL);
	assert_string_equal(err.text, "JSON is nested deeper than 16 levels");
	assert_int_equal(json_parse_bounded("\"[[[\"", 5, 1, &json, NULL), 0);
	json_decref(json);
	assert_int_equal(json_parse_bounded("{\"a\":1,\"a\":2}", 13, 16, &json, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_plan_names_the_member),
		cmocka_unit_test(deadlines_count_from_now),
		cmocka_unit_test(members_of_a_newer_controller_are_ignored),
		cmocka_unit_test(sort_keeps_the_first_of_equal_ids),
		cmocka_unit_test(the_hash_is_that_of_the_canonical_json),
		cmocka_unit_test(the_hash_of_odd_characters_is_that_of_jansson),
		cmocka_unit_test(json_brings_every_plan_back),
		cmocka_unit_test(a_delta_leads_from_one_plan_to_the_other),
		cmocka_unit_test(a_rate_change_is_a_small_delta),
		cmocka_unit_test(a_delta_that_leaves_a_target_without_class_is_refused),
		cmocka_unit_test(a_refresh_moves_the_clocks_of_known_boosts),
		cmocka_unit_test(depth_is_refused_before_it_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
