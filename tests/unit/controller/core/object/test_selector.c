/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controller/core/object/selector.h"

static bool matches(const char *selector_text, const char *labels_text)
{
	json_t *json = selector_text ? json_loads(selector_text, 0, NULL) : NULL;
	json_t *object = json_loads(labels_text, 0, NULL);
	char *labels = labels_pack(object);
	struct selector selector;
	struct err err = ERR_INIT;
	bool result;

	if (selector_from_json(json, "spec.selector", &selector, &err) < 0)
		fail_msg("%s", err.text);
	result = selector_matches(&selector, labels);
	selector_release(&selector);
	free(labels);
	json_decref(object);
	json_decref(json);
	return result;
}

static void refuse(const char *text, const char *sentence)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	struct selector selector;
	struct err err = ERR_INIT;

	assert_true(selector_from_json(json, "spec.selector", &selector, &err) < 0);
	assert_string_equal(err.text, sentence);
	json_decref(json);
}

static void an_absent_and_an_empty_selector_match_everything(void **state)
{
	(void)state;
	assert_true(matches(NULL, "{}"));
	assert_true(matches("{}", "{}"));
	assert_true(matches("{\"matchLabels\": {}, \"matchExpressions\": []}", "{\"a\": \"1\"}"));
}

static void match_labels_need_each_label_with_its_value(void **state)
{
	const char *selector = "{\"matchLabels\": {\"a\": \"1\", \"b\": \"\"}}";

	(void)state;
	assert_true(matches(selector, "{\"a\": \"1\", \"b\": \"\", \"c\": \"3\"}"));
	assert_false(matches(selector, "{\"a\": \"1\"}"));
	assert_false(matches(selector, "{\"a\": \"2\", \"b\": \"\"}"));
}

#define EXPR(rest) "{\"matchExpressions\": [{\"key\": \"a\", " rest "}]}"

static void expressions_treat_a_missing_label_as_kubernetes_does(void **state)
{
	const char *in = EXPR("\"operator\": \"In\", \"values\": [\"1\", \"2\"]");
	const char *not_in = EXPR("\"operator\": \"NotIn\", \"values\": [\"1\", \"2\"]");
	const char *exists = EXPR("\"operator\": \"Exists\"");
	const char *not_exists = EXPR("\"operator\": \"DoesNotExist\", \"values\": []");

	(void)state;
	assert_true(matches(in, "{\"a\": \"2\"}"));
	assert_false(matches(in, "{\"a\": \"3\"}"));
	assert_false(matches(in, "{}"));
	assert_false(matches(not_in, "{\"a\": \"2\"}"));
	assert_true(matches(not_in, "{\"a\": \"3\"}"));
	assert_true(matches(not_in, "{}"));
	assert_true(matches(exists, "{\"a\": \"\"}"));
	assert_false(matches(exists, "{\"b\": \"\"}"));
	assert_false(matches(not_exists, "{\"a\": \"\"}"));
	assert_true(matches(not_exists, "{\"b\": \"\"}"));
}

static void a_wrong_selector_is_refused_by_field(void **state)
{
	(void)state;
	refuse("[]", "spec.selector: must be a map");
	refuse("{\"matchLabel\": {}}",
	       "spec.selector.matchLabel: is not a field; did you mean matchLabels?");
	refuse("{\"matchLabels\": {\"a\": 1}}",
	       "spec.selector.matchLabels.a: is not a label value");
	refuse("{\"matchLabels\": {\"a b\": \"1\"}}",
	       "spec.selector.matchLabels: has a key that is not a label key");
	refuse("{\"matchLabels\": {\"a\": \"-\"}}",
	       "spec.selector.matchLabels.a: is not a label value");
	refuse(EXPR("\"operator\": \"Like\""), "spec.selector.matchExpressions[0].operator: "
					       "must be one of In, NotIn, Exists, DoesNotExist");
	refuse(EXPR("\"operator\": \"In\""),
	       "spec.selector.matchExpressions[0].values: In and NotIn need values");
	refuse(EXPR("\"operator\": \"Exists\", \"values\": [\"x\"]"),
	       "spec.selector.matchExpressions[0].values: Exists and DoesNotExist take none");
	refuse("{\"matchExpressions\": [{\"operator\": \"Exists\"}]}",
	       "spec.selector.matchExpressions[0].key: must be a label key");
}

static void labels_are_found_by_key_and_compare_by_content(void **state)
{
	json_t *one = json_loads("{\"b\": \"2\", \"a\": \"1\", \"n\": 7}", 0, NULL);
	json_t *two = json_loads("{\"a\": \"1\", \"b\": \"2\"}", 0, NULL);
	char *p = labels_pack(one), *q = labels_pack(two);

	(void)state;
	assert_string_equal(labels_get(p, "b"), "2");
	assert_null(labels_get(p, "n"));
	assert_null(labels_get(NULL, "a"));
	assert_true(labels_equal(p, q));
	assert_false(labels_equal(p, NULL));
	assert_true(labels_equal(NULL, NULL));
	free(p);
	free(q);
	json_decref(one);
	json_decref(two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_absent_and_an_empty_selector_match_everything),
		cmocka_unit_test(match_labels_need_each_label_with_its_value),
		cmocka_unit_test(expressions_treat_a_missing_label_as_kubernetes_does),
		cmocka_unit_test(a_wrong_selector_is_refused_by_field),
		cmocka_unit_test(labels_are_found_by_key_and_compare_by_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
