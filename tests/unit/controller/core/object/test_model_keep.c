/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kube/core/watch/watch_read.h"
#include "tests/unit/controller/world.h"

/* Objects that are read with object_keep() and without are the same to us. */

static struct object *read_line(const char *object, const struct json_keep *its_keep)
{
	cleanup(freep) char *line = xasprintf("{\"type\":\"ADDED\",\"object\":%s}", object);
	struct watch_read read = { 0 };
	struct object *result = NULL;
	const struct watch_kind kind = { .keep = its_keep };
	struct err err = ERR_INIT;

	if (watch_read_line(line, strlen(line), &kind, &read, &err) == 0) {
		assert_int_equal(read.event.type, WATCH_ADDED);
		assert_string_equal(read.event.resource_version, "7");
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
				   "\"pyroscope.io/service_name\": \"svc\"}, \"ownerReferences\": "
				   "[{\"uid\": \"1\", \"controller\": true, \"kind\": "
				   "\"ReplicaSet\", \"name\": \"settle-7d4b9c\"}]}, \"spec\": "
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
	const struct watch_kind pod = { .keep = object_keep(OBJECT_POD) };
	struct watch_read read = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(watch_read_line(bookmark, strlen(bookmark), &pod, &read, &err), 0);
	assert_int_equal(read.event.type, WATCH_BOOKMARK);
	assert_true(read.event.initial_end);
	assert_string_equal(read.event.resource_version, "9");
	watch_read_release(&read);
	assert_int_equal(watch_read_line(error, strlen(error), &pod, &read, &err), 0);
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
		cmocka_unit_test(a_pod_is_the_same_both_ways),
		cmocka_unit_test(nodes_and_namespaces_are_the_same_both_ways),
		cmocka_unit_test(bookmarks_and_errors_are_understood_of_any_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
