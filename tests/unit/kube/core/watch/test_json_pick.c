/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "kube/core/watch/json_pick.h"
#include "kube/core/watch/watch_read.h"
#include "tests/unit/controller/world.h"

#define DEPTH 8

static const struct json_keep inner[] = { { .name = "x" },
					  { .name = "pre.", .prefix = true },
					  { .name = NULL } };
static const struct json_keep keep[] = { { .name = "a" },
					 { .name = "b", .member = inner },
					 { .name = NULL } };

static void gives(const char *text, const char *expected)
{
	json_auto_t *json = NULL;
	cleanup(freep) char *dumped = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(json_pick(text, strlen(text), keep, DEPTH, &json, &err), 0);
	dumped = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	assert_string_equal(dumped, expected);
}

/* `sentence` NULL: whatever it says. */
static void refuses(const char *text, const char *sentence)
{
	json_t *json = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(json_pick(text, strlen(text), keep, DEPTH, &json, &err), -EINVAL);
	assert_null(json);
	if (sentence)
		assert_string_equal(err.text, sentence);
}

static void only_what_is_named_is_left(void **state)
{
	(void)state;
	gives("{}", "{}");
	gives(" { \"a\" : 1 , \"c\" : {\"a\": [1, \"}\"]} } ", "{\"a\":1}");
	gives("{\"c\":\"\\\"{\",\"a\":{\"c\":[true, null]}}", "{\"a\":{\"c\":[true,null]}}");
	gives("{\"b\":{\"x\":1,\"y\":2,\"pre.fix\":3,\"pre.\":4,\"pre\":5}}",
	      "{\"b\":{\"x\":1,\"pre.fix\":3,\"pre.\":4}}");
	gives("{\"ab\":1,\"\":2}", "{}");
}

static void elements_of_an_array_are_held_against_the_same_names(void **state)
{
	(void)state;
	gives("{\"b\":[{\"y\":1,\"x\":2},{},[{\"x\":3}],7]}",
	      "{\"b\":[{\"x\":2},{},[{\"x\":3}],7]}");
	gives("{\"b\":[]}", "{\"b\":[]}");
}

static void another_type_than_expected_is_left_for_the_reader_to_judge(void **state)
{
	(void)state;
	gives("{\"b\":null}", "{\"b\":null}");
	gives("{\"b\":\"text\"}", "{\"b\":\"text\"}");
	gives("[1]", "[1]");
	gives("\"a\"", "\"a\"");
}

static void escapes_are_understood(void **state)
{
	(void)state;
	gives("{\"\\u0061\":1,\"b\":{\"\\\"\":2}}", "{\"a\":1,\"b\":{}}");
	gives("{\"a\":\"\\\"\\\\\",\"c\":\"\\\\\\\"\",\"b\":7}", "{\"a\":\"\\\"\\\\\",\"b\":7}");
	gives("{\"a\":[\"\\u00e4\",\"\xc3\xa4\"]}", "{\"a\":[\"\xc3\xa4\",\"\xc3\xa4\"]}");
}

static void what_is_kept_is_read_strictly(void **state)
{
	static const char *const text[] = {
		"{\"a\":1,\"a\":2}",	"{\"a\":1,\"\\u0061\":2}", "{\"a\":tru}",
		"{\"a\":01}",		"{\"a\":\"\xff\"}",	   "{\"a\":\"\n\"}",
		"{\"a\":\"\\x\"}",	"{\"a\":\"\\u0000\"}",	   "{\"b\":{\"x\":-}}",
		"{\"a\":{\"\xff\":1}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		refuses(text[i], NULL);
}

static void what_is_no_json_is_refused(void **state)
{
	static const char *const text[] = { "",		 "{",	       "{\"a\"",      "{\"a\":",
					    "{\"a\":1",	 "{\"a\":1,}", "{,}",	      "{\"c\":}",
					    "{\"c\":[}", "{1:2}",      "[1,]",	      "[1 2]",
					    "{} x",	 "{\"c\":\"",  "{\"c\":\"\\", "{\"b\":[1]",
					    "{\"c\" 1}", "]",	       "{\"a\"]" };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		refuses(text[i], NULL);
	refuses("{\"a\": 1,}", "not valid JSON at byte 8");
}

static void nesting_is_bounded_in_what_is_kept_and_in_what_is_not(void **state)
{
	(void)state;
	gives("{\"a\":[[[[[[[1]]]]]]]}", "{\"a\":[[[[[[[1]]]]]]]}");
	refuses("{\"a\":[[[[[[[[1]]]]]]]]}", "JSON is nested deeper than 8 levels");
	gives("{\"c\":[[[[[[[1]]]]]]]}", "{}");
	refuses("{\"c\":[[[[[[[[1]]]]]]]]}", "JSON is nested deeper than 8 levels");
	refuses("{\"b\":[[[[[[[[1]]]]]]]]}", "JSON is nested deeper than 8 levels");
}

/* --- the objects: read with and without it, they are the same to us --- */

static struct object *read_line(const char *object, const struct json_keep *its_keep)
{
	cleanup(freep) char *line = xasprintf("{\"type\":\"ADDED\",\"object\":%s}", object);
	struct watch_read read = { 0 };
	struct object *result = NULL;
	struct err err = ERR_INIT;

	if (watch_read_line(line, strlen(line), its_keep, &read, &err) == 0) {
		assert_int_equal(read.event.type, WATCH_ADDED);
		assert_string_equal(read.event.version, "7");
		if (object_from_json(read.object, &result, &err) < 0)
			assert_null(result);
	}
	watch_read_release(&read);
	return result;
}

static void same_both_ways(enum object_kind kind, const char *text)
{
	struct store *store = store_new();
	struct object *whole = read_line(text, NULL);
	struct object *pruned = read_line(text, object_keep(kind));

	assert_non_null(whole);
	assert_non_null(pruned);
	assert_string_equal(whole->ns, pruned->ns);
	assert_string_equal(whole->name, pruned->name);
	assert_string_equal(whole->uid, pruned->uid);
	assert_int_equal(whole->created_s, pruned->created_s);
	assert_int_equal(whole->generation, pruned->generation);
	assert_int_equal(whole->deleting, pruned->deleting);
	store_apply(store, whole);
	/* It compares all else. */
	assert_int_equal(store_apply(store, pruned).scope, TOUCH_NOTHING);
	store_free(store);
}

#define META                                                                                       \
	"\"resourceVersion\": \"7\", \"generation\": 3, \"creationTimestamp\": "                   \
	"\"2026-01-31T12:00:00Z\","                                                                \
	"\"uid\": \"6d0f3b1c-1111-2222-3333-444455556666\", \"labels\": {\"app\": \"x\", "         \
	"\"tier\": \"y\"},"                                                                        \
	"\"managedFields\": [{\"fieldsV1\": {\"f:metadata\": {\"k:{\\\"uid\\\":\\\"1\\\"}\": "     \
	"{}}}}]"

static void a_pod_is_the_same_both_ways(void **state)
{
	(void)state;
	same_both_ways(OBJECT_POD, "{\"kind\": \"Pod\", \"apiVersion\": \"v1\", \"metadata\": "
				   "{\"name\": \"p\", \"namespace\": \"a\"," META
				   ", \"deletionTimestamp\": \"2026-01-31T12:30:00Z\", "
				   "\"annotations\": {\"big\": \"{\\\"a\\\": [}\","
				   "\"profiling.rubato.dev/cgroup\": \"/a/b\", "
				   "\"profiling.rubato.dev/cgroup.side\": \"/c\","
				   "\"pyroscope.io/service_name\": \"svc\"}}, \"spec\": "
				   "{\"nodeName\": \"n\", \"volumes\": [{\"name\": \"v\"}],"
				   "\"initContainers\": [{\"name\": \"init\"}], \"containers\": "
				   "[{\"name\": \"app\", \"env\": [{\"name\": \"E\"}]},"
				   "{\"image\": \"i\", \"name\": \"side\"}], "
				   "\"ephemeralContainers\": [{\"name\": \"debug\"}]},"
				   "\"status\": {\"phase\": \"Running\", \"conditions\": [{}], "
				   "\"containerStatuses\": [{\"name\": \"app\","
				   "\"containerID\": \"containerd://0123456789abcdef\"}], "
				   "\"initContainerStatuses\": [{\"name\": \"init\","
				   "\"containerID\": \"cri-o://ff\"}], "
				   "\"ephemeralContainerStatuses\": [{\"name\": \"debug\","
				   "\"containerID\": \"docker://ee\"}]}}");
	same_both_ways(OBJECT_POD, "{\"kind\": \"Pod\", \"apiVersion\": \"v1\", \"metadata\": "
				   "{\"name\": \"p\", \"namespace\": \"a\"," META
				   "}, \"spec\": null, \"status\": {\"phase\": \"Failed\", "
				   "\"containerStatuses\": null}}");
}

static void nodes_and_namespaces_are_the_same_both_ways(void **state)
{
	(void)state;
	same_both_ways(
		OBJECT_NODE,
		"{\"kind\": \"Node\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"n\"," META
		"}, \"status\": {\"images\": [{\"names\": [\"a\", \"b\"]}]}}");
	same_both_ways(OBJECT_NAMESPACE,
		       "{\"kind\": \"Namespace\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": "
		       "\"n\"," META "}, \"spec\": {\"finalizers\": [\"kubernetes\"]}}");
}

static void bookmarks_and_errors_are_understood_of_any_kind(void **state)
{
	static const char bookmark[] =
		"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{"
		"\"resourceVersion\":\"9\","
		"\"annotations\":{\"k8s.io/"
		"initial-events-end\":\"true\"}},\"spec\":{\"containers\":null}}}";
	static const char error[] =
		"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"metadata\":{},\"status\":"
		"\"Failure\","
		"\"reason\":\"Expired\",\"details\":{\"retryAfterSeconds\":3,\"causes\":"
		"[{\"reason\":\"ResourceVersionTooLarge\"}]},\"code\":410}}";
	struct watch_read read = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
		watch_read_line(bookmark, strlen(bookmark), object_keep(OBJECT_POD), &read, &err),
		0);
	assert_int_equal(read.event.type, WATCH_BOOKMARK);
	assert_true(read.event.initial_end);
	assert_string_equal(read.event.version, "9");
	watch_read_release(&read);
	assert_int_equal(
		watch_read_line(error, strlen(error), object_keep(OBJECT_POD), &read, &err), 0);
	assert_int_equal(read.event.type, WATCH_ERROR);
	assert_int_equal(read.event.status.code, 410);
	assert_true(read.event.status.expired);
	assert_true(read.event.status.too_large);
	assert_int_equal(read.event.status.retry_after_ns, 3 * NSEC_PER_SEC);
	watch_read_release(&read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_named_is_left),
		cmocka_unit_test(elements_of_an_array_are_held_against_the_same_names),
		cmocka_unit_test(another_type_than_expected_is_left_for_the_reader_to_judge),
		cmocka_unit_test(escapes_are_understood),
		cmocka_unit_test(what_is_kept_is_read_strictly),
		cmocka_unit_test(what_is_no_json_is_refused),
		cmocka_unit_test(nesting_is_bounded_in_what_is_kept_and_in_what_is_not),
		cmocka_unit_test(a_pod_is_the_same_both_ways),
		cmocka_unit_test(nodes_and_namespaces_are_the_same_both_ways),
		cmocka_unit_test(bookmarks_and_errors_are_understood_of_any_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
