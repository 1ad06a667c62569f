/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/core/store/store_dump.h"
#include "controller/core/object/object_json.h"
#include "tests/unit/controller/world.h"

static const char pod_text[] =
	"{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"p\", "
	"\"namespace\": \"a\","
	"  \"uid\": \"u-1\", \"creationTimestamp\": \"2026-01-02T03:04:05Z\","
	"  \"deletionTimestamp\": \"2026-01-02T03:04:06Z\", \"labels\": {\"b\": \"1\", \"a\": "
	"\"\"},"
	"  \"annotations\": {\"pyroscope.io/service_name\": \"s\"}},"
	" \"spec\": {\"nodeName\": \"n1\", \"containers\": [{\"name\": \"z\"}, {\"name\": \"c\"}]},"
	" \"status\": {\"phase\": \"Failed\", \"containerStatuses\": ["
	"  {\"name\": \"z\", \"containerID\": \"containerd://0a\"}]}}";

static const char policy_text[] =
	"{\"apiVersion\": \"" PROFILING_API_VERSION "\", \"kind\": \"ProfilingPolicy\","
	" \"metadata\": {\"name\": \"p\", \"namespace\": \"a\", \"uid\": \"u-2\", \"generation\": "
	"3},"
	" \"spec\": {\"sampleRateHz\": 0, \"duration\": \"15s\", \"containers\": [\"c\"],"
	"  \"selector\": {\"matchLabels\": {\"app\": \"x\"},"
	"   \"matchExpressions\": [{\"key\": \"t\", \"operator\": \"DoesNotExist\"}]},"
	"  \"capabilities\": {\"drop\": [\"kernel\"]}, \"reason\": \"why\"}}";

static const char cluster_text[] =
	"{\"apiVersion\": \"" PROFILING_API_VERSION "\", \"kind\": \"ClusterProfilingPolicy\","
	" \"metadata\": {\"name\": \"f\", \"uid\": \"u-3\", \"generation\": 1}, \"spec\": {"
	"  \"nodeSelector\": {\"matchLabels\": {\"zone\": \"q\"}}, \"defaults\": "
	"{\"sampleRateHz\": 19},"
	"  \"limits\": {\"maxSampleRateHz\": 100, \"maxDuration\": \"1m\","
	"   \"allowedCapabilities\": [\"native\", \"cpu\"]}}}";

static void check(const char *text, const char *line)
{
	struct object *object = world_object_text(text);
	json_t *json = object_to_json(object);
	char *got = json_dumps(json, JSON_COMPACT);

	assert_string_equal(got, line);
	free(got);
	json_decref(json);
	object_free(object);
}

static void an_object_shows_all_that_is_kept_of_it(void **state)
{
	(void)state;
	check(pod_text,
	      "{\"kind\":\"Pod\",\"namespace\":\"a\",\"name\":\"p\",\"uid\":\"u-1\","
	      "\"created\":1767323045,\"deleting\":true,\"labels\":{\"a\":\"\",\"b\":\"1\"},"
	      "\"node\":\"n1\",\"service\":\"s\",\"done\":true,"
	      "\"containers\":[{\"name\":\"c\"},{\"name\":\"z\",\"id\":\"0a\"}]}");
	check(policy_text,
	      "{\"kind\":\"ProfilingPolicy\",\"namespace\":\"a\",\"name\":\"p\",\"uid\":\"u-2\","
	      "\"generation\":3,\"created\":0,\"labels\":{},\"sampleRateHz\":0,"
	      "\"duration_ns\":15000000000,"
	      "\"selector\":[{\"key\":\"app\",\"operator\":\"In\",\"values\":[\"x\"]},"
	      "{\"key\":\"t\",\"operator\":\"DoesNotExist\",\"values\":[]}],"
	      "\"containers\":[\"c\"],\"drop\":[\"kernel\"],\"reason\":\"why\"}");
	check(cluster_text,
	      "{\"kind\":\"ClusterProfilingPolicy\",\"name\":\"f\",\"uid\":\"u-3\",\"generation\":"
	      "1,"
	      "\"created\":0,\"labels\":{},"
	      "\"nodeSelector\":[{\"key\":\"zone\",\"operator\":\"In\",\"values\":[\"q\"]}],"
	      "\"sampleRateHz\":19,\"maxSampleRateHz\":100,\"maxDuration_ns\":60000000000,"
	      "\"allowedCapabilities\":[\"cpu\",\"native\"]}");
}

static void add(struct store *store, const char *kind, const char *ns, const char *name)
{
	store_apply(store,
		    world_object(json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind",
					   kind, "metadata", "name", name, "namespace", ns)));
}

/* The names of the lines, read `size` bytes at a time: "a/p b/q ". */
static void names(struct store_dump *dump, size_t size, char *ret_names)
{
	char text[16384];
	size_t len = 0, nr;
	char *rest = text, *line;

	while ((nr = store_dump_read(dump, text + len, MIN(size, sizeof(text) - 1 - len))) > 0)
		len += nr;
	text[len] = '\0';
	*ret_names = '\0';
	while ((line = strsep(&rest, "\n")) && *line) {
		json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		const char *ns = json_string_value(json_object_get(json, "namespace"));

		assert_non_null(json);
		sprintf(ret_names + strlen(ret_names), "%s/%s ", ns ? ns : "",
			json_string_value(json_object_get(json, "name")));
		json_decref(json);
	}
}

static struct store *five_pods(void)
{
	struct store *store = store_new();

	add(store, "Pod", "a", "p");
	add(store, "Pod", "a", "q");
	add(store, "Pod", "b", "a");
	add(store, "Pod", "b", "p");
	add(store, "Pod", "d", "p");
	return store;
}

static void every_object_has_a_line_whatever_the_size_of_a_read(void **state)
{
	struct store *store = five_pods();
	char got[1024];

	(void)state;
	add(store, "Namespace", "", "a");
	add(store, "Namespace", "", "c");
	add(store, "Node", "", "n1");
	store_apply(store, world_object_text(policy_text));
	store_apply(store, world_object_text(cluster_text));
	for (size_t size = 1; size < 4096; size = size * 2 + 1) {
		struct store_dump *dump = store_dump_new(store);

		names(dump, size, got);
		assert_string_equal(got, "a/p /f /a /c /n1 a/p a/q b/a b/p d/p ");
		assert_int_equal(store_dump_read(dump, got, sizeof(got)), 0);
		store_dump_free(dump);
	}
	store_free(store);
}

static void an_empty_store_has_no_line(void **state)
{
	struct store *store = store_new();
	struct store_dump *dump = store_dump_new(store);
	char text[16];

	(void)state;
	assert_int_equal(store_dump_read(dump, text, sizeof(text)), 0);
	store_dump_free(dump);
	store_free(store);
}

/* `change` happens after the first byte of the first pod. */
static void check_during(void (*change)(struct store *store), const char *expected)
{
	struct store *store = five_pods();
	struct store_dump *dump = store_dump_new(store);
	char first, got[1024];

	assert_int_equal(store_dump_read(dump, &first, 1), 1);
	change(store);
	while (store_dump_read(dump, &first, 1) == 1 && first != '\n')
		;
	names(dump, 64, got);
	assert_string_equal(got, expected);
	store_dump_free(dump);
	store_free(store);
}

static void its_own_goes(struct store *store)
{
	store_delete(store, OBJECT_POD, "a", "p");
}

static void its_namespace_goes(struct store *store)
{
	store_delete(store, OBJECT_POD, "a", "p");
	store_delete(store, OBJECT_POD, "a", "q");
}

static void all_are_replaced(struct store *store)
{
	add(store, "Pod", "a", "p");
	add(store, "Pod", "b", "a");
	add(store, "Pod", "d", "p");
}

static void others_come(struct store *store)
{
	add(store, "Pod", "a", "a");
	add(store, "Pod", "a", "r");
	add(store, "Pod", "c", "p");
}

static void all_go(struct store *store)
{
	its_namespace_goes(store);
	store_delete(store, OBJECT_POD, "b", "a");
	store_delete(store, OBJECT_POD, "b", "p");
	store_delete(store, OBJECT_POD, "d", "p");
}

static void the_store_may_change_between_two_reads(void **state)
{
	(void)state;
	check_during(its_own_goes, "a/q b/a b/p d/p ");
	check_during(its_namespace_goes, "b/a b/p d/p ");
	check_during(all_are_replaced, "a/q b/a b/p d/p ");
	check_during(others_come, "a/q a/r b/a b/p c/p d/p ");
	check_during(all_go, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_shows_all_that_is_kept_of_it),
		cmocka_unit_test(every_object_has_a_line_whatever_the_size_of_a_read),
		cmocka_unit_test(an_empty_store_has_no_line),
		cmocka_unit_test(the_store_may_change_between_two_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
