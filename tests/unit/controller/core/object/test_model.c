/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "controller/core/object/cid.h"
#include "tests/unit/controller/world.h"

#define POLICY(spec)                                                                               \
	"{\"apiVersion\": \"profiling.rubato.dev/v1alpha1\", \"kind\": \"ProfilingPolicy\","       \
	"\"metadata\": {\"name\": \"p\", \"namespace\": \"a\"}, \"spec\": " spec "}"
#define CLUSTER(spec)                                                                              \
	"{\"apiVersion\": \"profiling.rubato.dev/v1alpha1\","                                      \
	"\"kind\": \"ClusterProfilingPolicy\", \"metadata\": {\"name\": \"p\"}, \"spec\": " spec   \
	"}"

static void refuse(const char *text, int code, const char *sentence)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	struct object *object = NULL;
	struct err err = ERR_INIT;

	assert_non_null(json);
	assert_int_equal(object_from_manifest(json, &object, &err), code);
	assert_string_equal(err.text, sentence);
	assert_null(object);
	json_decref(json);
}

static bool cid_is(const uint8_t *cid, const char *expected)
{
	cleanup(freep) char *text = cid_text(cid);

	return strcmp(text, expected) == 0;
}

static void a_policy_is_read_whole(void **state)
{
	struct object *o = world_object_text(POLICY(
		"{\"sampleRateHz\": 100, \"duration\": \"15m\", \"containers\": [\"b\", \"a\"],"
		"\"capabilities\": {\"add\": [\"native\"], \"drop\": [\"kernel\"]},"
		"\"selector\": {\"matchLabels\": {\"app\": \"x\"}}, \"reason\": \"why\"}"));

	(void)state;
	assert_int_equal(o->kind, OBJECT_POLICY);
	assert_true(o->policy.has_rate);
	assert_int_equal(o->policy.rate_hz, 100);
	assert_int_equal(o->policy.duration_ns, 900 * NSEC_PER_SEC);
	assert_int_equal(o->policy.container_nr, 2);
	assert_string_equal(o->policy.container[0], "a");
	assert_int_equal(o->policy.add, CAP_NATIVE);
	assert_int_equal(o->policy.drop, CAP_KERNEL);
	assert_string_equal(o->policy.reason, "why");
	assert_true(policy_selects(&o->policy));
	object_free(o);
}

static void absent_is_not_zero(void **state)
{
	struct object *zero = world_object_text(POLICY("{\"sampleRateHz\": 0}"));
	struct object *absent =
		world_object_text(POLICY("{\"capabilities\": {\"drop\": [\"kernel\"]}}"));

	(void)state;
	assert_true(zero->policy.has_rate);
	assert_false(absent->policy.has_rate);
	object_free(zero);
	object_free(absent);
}

static void a_wrong_policy_is_refused_by_field(void **state)
{
	(void)state;
	refuse(POLICY("{\"sampleRateHz\": 5000}"), -EINVAL,
	       "spec.sampleRateHz: 5000 is not in 0..200");
	refuse(POLICY("{\"sampleRateHz\": -1}"), -EINVAL, "spec.sampleRateHz: -1 is not in 0..200");
	refuse(POLICY("{\"sampleRateHz\": \"9\"}"), -EINVAL,
	       "spec.sampleRateHz: must be an integer");
	refuse(POLICY("{\"samplerate\": 9}"), -EINVAL,
	       "spec.samplerate: is not a field; did you mean sampleRateHz?");
	refuse(POLICY("{\"zzzzzzzz\": 9}"), -EINVAL, "spec.zzzzzzzz: is not a field");
	refuse(POLICY("{\"\\u0007: \": 9}"), -EINVAL, "spec: has a field of an impossible name");
	refuse(POLICY("{\"sampleRateHz\": 9, \"duration\": \"9s\"}"), -EINVAL,
	       "spec.duration: \"9s\" is not in 10s..24h");
	refuse(POLICY("{\"sampleRateHz\": 9, \"containers\": [\"a\", \"a\"]}"), -EINVAL,
	       "spec.containers: a is there twice");
	refuse(POLICY("{\"capabilities\": {\"add\": [\"offcpu\"]}}"), -EINVAL,
	       "spec.capabilities.add[0]: offcpu is not one of cpu, kernel, native");
	refuse(POLICY("{\"capabilities\": {\"add\": [\"cpu\"], \"drop\": [\"cpu\"]}}"), -EINVAL,
	       "spec.capabilities: a capability is either added or dropped, not both");
	refuse(POLICY("{}"), -EINVAL,
	       "spec: needs sampleRateHz, capabilities or both; without them it changes nothing");
	refuse(POLICY("[]"), -EINVAL, "spec: must be a map");
}

static void a_wrong_cluster_policy_is_refused_by_field(void **state)
{
	(void)state;
	refuse(CLUSTER("{\"limits\": {\"maxSampleRateHz\": 9, \"maxContinuousSampleRateHz\": 10}}"),
	       -EINVAL, "spec.limits.maxContinuousSampleRateHz: cannot be above maxSampleRateHz");
	refuse(CLUSTER("{\"limits\": {\"maxSampelRateHz\": 9}}"), -EINVAL,
	       "spec.limits.maxSampelRateHz: is not a field; did you mean maxSampleRateHz?");
	refuse(CLUSTER("{\"defaults\": {\"capabilities\": \"cpu\"}}"), -EINVAL,
	       "spec.defaults.capabilities: must be a list");
	refuse(CLUSTER("{}"), -EINVAL,
	       "spec: needs defaults, limits or both; without them it changes nothing");
}

static void names_that_would_leave_their_place_are_refused(void **state)
{
	(void)state;
	refuse("{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\":"
	       "{\"name\": \"..\", \"namespace\": \"a\"}}",
	       -EINVAL, "metadata.name: is not a Kubernetes name of at most 253 characters");
	refuse("{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\":"
	       "{\"name\": \"p\", \"namespace\": \"a/b\"}}",
	       -EINVAL, "metadata.namespace: is not a namespace's name");
}

#define POD_WITH_CGROUP(path)                                                                      \
	"{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"p\","              \
	"\"namespace\": \"a\", \"annotations\": {\"profiling.rubato.dev/cgroup\": \"" path "\"}}}"

static void a_cgroup_is_a_path_from_the_root_that_does_not_leave_it(void **state)
{
	static const char *const text[] = {
		POD_WITH_CGROUP("x/../../y"), POD_WITH_CGROUP(".."), POD_WITH_CGROUP("/"),
		POD_WITH_CGROUP("a//b"),      POD_WITH_CGROUP("a/"), POD_WITH_CGROUP("./a"),
		POD_WITH_CGROUP("a\\u000ab"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		refuse(text[i], -EINVAL,
		       "metadata.annotations.profiling.rubato.dev/cgroup: "
		       "is not a path below the cgroup root");
}

/* Else whoever may make a pod could take any cgroup of its node. */
static void a_cgroup_that_a_pod_of_the_api_server_names_is_not_looked_at(void **state)
{
	static const char *const text[] = { POD_WITH_CGROUP("system.slice"),
					    POD_WITH_CGROUP("x/../../y") };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		json_t *json = json_loads(text[i], 0, NULL);
		struct object *object = NULL;

		assert_int_equal(object_from_json(json, &object, NULL), 0);
		assert_int_equal(object->pod.container_nr, 0);
		object_free(object);
		json_decref(json);
	}
}

static void other_kinds_are_told_apart_from_wrong_ones(void **state)
{
	(void)state;
	refuse("{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\"}", -ENOTSUP,
	       "kind: Deployment is not used here");
	refuse("{\"apiVersion\": \"profiling.rubato.dev/v1\", \"kind\": \"ProfilingPolicy\"}",
	       -EINVAL, "apiVersion: of a ProfilingPolicy must be profiling.rubato.dev/v1alpha1");
	refuse("{\"apiVersion\": \"profiling.rubato.dev/v1alpha1\", \"kind\": \"Policy\"}", -EINVAL,
	       "kind: must be ProfilingPolicy or ClusterProfilingPolicy");
	refuse("{\"apiVersion\": \"v1\"}", -EINVAL, "kind: is missing");
	refuse("{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": 123}}",
	       -EINVAL, "metadata.name: must be a string; write it in quotes (\"...\")");
	refuse("{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": null}}",
	       -EINVAL, "metadata.name: is missing");
	refuse("{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"p\","
	       "\"namespace\": true}}",
	       -EINVAL, "metadata.namespace: must be a string; write it in quotes (\"...\")");
	refuse("7", -EINVAL, "an object must be a map");
}

static void check_workload(const char *owner, const char *wanted)
{
	cleanup(freep) char *text = xasprintf(
		"{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"p\","
		"\"namespace\": \"a\", \"uid\": \"123-abc\", \"labels\": {\"pod-template-hash\": "
		"\"7d4b9c\"}, \"ownerReferences\": [{\"kind\": \"Node\", \"name\": \"n\"}, {%s}]}}",
		owner);
	struct object *o = world_object_text(text);

	if (wanted)
		assert_string_equal(o->pod.workload, wanted);
	else
		assert_null(o->pod.workload);
	object_free(o);
}

static void a_pods_workload_is_what_people_call_it(void **state)
{
#define OWNER(kind, name) "\"controller\": true, \"kind\": \"" kind "\", \"name\": \"" name "\""
	(void)state;
	check_workload(OWNER("ReplicaSet", "settlement-7d4b9c"), "settlement");
	check_workload(OWNER("ReplicaSet", "by-hand"), "by-hand");
	check_workload(OWNER("ReplicaSet", "-7d4b9c"), NULL);
	check_workload(OWNER("ReplicaSet", "7d4b9c"), "7d4b9c");
	check_workload(OWNER("StatefulSet", "ledger-7d4b9c"), "ledger-7d4b9c");
	check_workload(OWNER("DaemonSet", "node-exporter"), "node-exporter");
	check_workload(OWNER("Job", "backup-29391840"), "backup");
	check_workload(OWNER("Job", "migrate-2"), "migrate-2");
	check_workload(OWNER("Job", "29391840"), "29391840");
	check_workload(OWNER("ReplicaSet", "../x"), NULL);
	check_workload("\"kind\": \"ReplicaSet\", \"name\": \"settlement-7d4b9c\"", NULL);
	check_workload("\"controller\": true, \"kind\": 1, \"name\": []", NULL);
}

static void a_pod_keeps_its_containers_ids_and_cgroups(void **state)
{
	struct object *o = world_object_text(
		"{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"p\","
		"\"namespace\": \"a\", \"uid\": \"123-abc\", \"annotations\": {"
		"\"profiling.rubato.dev/cgroup\": \"/first\","
		"\"profiling.rubato.dev/cgroup.aside\": \"second\","
		"\"pyroscope.io/service_name\": \"low\","
		"\"profiles.grafana.com/service_name\": \"high\"}},"
		"\"spec\": {\"nodeName\": \"n1\", \"containers\": [{\"name\": \"main\"},"
		"{\"name\": \"aside\"}], \"initContainers\": [{\"name\": \"init\"}]},"
		"\"status\": {\"phase\": \"Running\", \"containerStatuses\":"
		"[{\"name\": \"main\", \"containerID\": \"containerd://ab12\"},"
		"{\"name\": \"aside\", \"containerID\": \"\"}],"
		"\"initContainerStatuses\": [{\"name\": \"init\", \"containerID\": "
		"\"cri-o://ff\"}]}}");
	const struct pod_container *c = o->pod.container;

	(void)state;
	assert_string_equal(o->uid, "123-abc");
	assert_string_equal(o->pod.node, "n1");
	assert_string_equal(o->pod.service, "high");
	assert_false(o->pod.done);
	assert_int_equal(o->pod.container_nr, 3);
	assert_string_equal(c[0].name, "aside");
	assert_null(c[0].cid);
	assert_string_equal(c[0].cgroup, "/second");
	assert_string_equal(c[1].name, "init");
	assert_true(cid_is(c[1].cid, "ff"));
	assert_null(c[1].cgroup);
	assert_string_equal(c[2].name, "main");
	assert_true(cid_is(c[2].cid, "ab12"));
	assert_string_equal(c[2].cgroup, "/first");
	object_free(o);
}

static void what_a_manifest_lacks_is_derived_and_stable(void **state)
{
	struct object *one = world_object_text(POLICY("{\"sampleRateHz\": 1}"));
	struct object *same = world_object_text(POLICY("{ \"sampleRateHz\" : 1 }"));
	struct object *edited = world_object_text(POLICY("{\"sampleRateHz\": 2}"));

	(void)state;
	assert_true(one->generation > 0);
	assert_int_equal(one->generation, same->generation);
	assert_int_not_equal(one->generation, edited->generation);
	assert_string_equal(one->uid, edited->uid);
	assert_int_equal(strlen(one->uid), 36);
	assert_int_equal(one->created_s, 0);
	object_free(one);
	object_free(same);
	object_free(edited);
}

static void the_path_is_cut_out_of_a_sentence(void **state)
{
	struct err err = { "spec.limits.maxDuration: \"1: 2\" is wrong" };
	char path[64];

	(void)state;
	object_error_path(&err, path, sizeof(path));
	assert_string_equal(path, "spec.limits.maxDuration");
	object_error_path(&(struct err){ "an object must be a map" }, path, sizeof(path));
	assert_string_equal(path, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_is_read_whole),
		cmocka_unit_test(a_pods_workload_is_what_people_call_it),
		cmocka_unit_test(absent_is_not_zero),
		cmocka_unit_test(a_wrong_policy_is_refused_by_field),
		cmocka_unit_test(a_wrong_cluster_policy_is_refused_by_field),
		cmocka_unit_test(names_that_would_leave_their_place_are_refused),
		cmocka_unit_test(other_kinds_are_told_apart_from_wrong_ones),
		cmocka_unit_test(a_pod_keeps_its_containers_ids_and_cgroups),
		cmocka_unit_test(a_cgroup_is_a_path_from_the_root_that_does_not_leave_it),
		cmocka_unit_test(a_cgroup_that_a_pod_of_the_api_server_names_is_not_looked_at),
		cmocka_unit_test(what_a_manifest_lacks_is_derived_and_stable),
		cmocka_unit_test(the_path_is_cut_out_of_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
