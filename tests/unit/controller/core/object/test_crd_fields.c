/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/object/clock.h"
#include "controller/core/object/manifest.h"
#include "controller/core/status/status.h"
#include "tests/unit/controller/core/object/crd.h"

/* The CRDs and the code know the same fields. */

/* --- fields --- */

static json_t *sample(const char *name, const json_t *schema)
{
	const char *type = json_string_value(json_object_get(schema, "type"));

	if (strcmp(type, "integer") == 0)
		return json_integer(1);
	if (strcmp(type, "string") == 0)
		return json_string("15m");
	if (strcmp(type, "array") == 0)
		return json_pack("[s]", strcmp(name, "containers") == 0 ? "app" : "cpu");
	if (strcmp(name, "capabilities") == 0)
		return json_pack("{s:[s]}", "add", "cpu");
	return json_object();
}

static void accepts_field(const char *kind, const char *ns, const char *name, const json_t *field)
{
	json_t *json = json_pack("{s:s, s:s, s:{s:s, s:s*}, s:{s:o}}", "apiVersion",
				 PROFILING_API_VERSION, "kind", kind, "metadata", "name", "a",
				 "namespace", ns, "spec", name, sample(name, field));
	struct object *object = NULL;
	struct err err = ERR_INIT;

	/* It may not suffice, but it must be known. */
	if (object_from_json(json, &object, &err) < 0 && strstr(err.text, "is not a field"))
		fail_msg("%s: %s", kind, err.text);
	object_free(object);
	json_decref(json);
}

static void every_field_of_the_schema_is_known_to_the_code(void **state)
{
	json_t *policy = read_crd(POLICY_CRD), *cluster = read_crd(CLUSTER_CRD);
	const char *name;
	json_t *field;

	(void)state;
	json_object_foreach(json_object_get(schema(policy, "spec"), "properties"), name, field)
		accepts_field("ProfilingPolicy", "n", name, field);
	json_object_foreach(json_object_get(schema(cluster, "spec"), "properties"), name, field)
		accepts_field("ClusterProfilingPolicy", NULL, name, field);
	json_decref(policy);
	json_decref(cluster);
}

/* Every member of `value` is a property of `schema`, all the way down. */
static void is_in_schema(const json_t *value, const json_t *schema, const char *path)
{
	const json_t *item;
	const char *name;
	json_t *below;
	size_t i;

	if (!schema)
		fail_msg("status%s is not in the schema: the API server would drop it", path);
	json_object_foreach((json_t *)value, name, below)
	{
		cleanup(freep) char *deeper = xasprintf("%s.%s", path, name);

		is_in_schema(below, json_object_get(json_object_get(schema, "properties"), name),
			     deeper);
	}
	json_array_foreach(value, i, item)
		is_in_schema(item, json_object_get(schema, "items"), path);
}

static void every_field_of_a_status_is_in_the_schema(void **state)
{
	static const char text[] = "{apiVersion: profiling.rubato.dev/v1alpha1, kind: "
				   "ProfilingPolicy, metadata: {name: a, namespace: n}, "
				   "spec: {sampleRateHz: 1, duration: 15s}}";
	json_t *crd = read_crd(POLICY_CRD);
	struct policy_summary summary = { .pods = 1, .nodes = 1, .rate_hz = 1 };
	struct status_agents agents = { .applied = 1 };
	struct manifest manifest = { 0 };
	struct boost_clock clock;
	struct duration_limits limits = { .all.ns = INT64_MAX, .some.ns = INT64_MAX };
	struct status_input input = {
		.clock = &clock, .summary = &summary, .agents = &agents, .limits = &limits
	};
	json_t *status;

	(void)state;
	assert_int_equal(manifest_parse(text, strlen(text), &manifest, NULL), 0);
	clock_start(&clock, manifest.doc[0].object->generation, 15 * NSEC_PER_SEC, &input.now);
	input.object = manifest.doc[0].object;
	status = status_build(&input);
	assert_non_null(json_object_get(status, "clock"));
	is_in_schema(status, schema(crd, "status"), "");
	json_decref(status);
	manifest_release(&manifest);
	json_decref(crd);
}

static void the_examples_are_accepted(void **state)
{
	static const char *const pattern[] = { "examples/boost.yaml", "examples/continuous.yaml",
					       "examples/fleet.yaml", "examples/selector.yaml",
					       "examples/standalone/*.yaml" };
	glob_t found = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pattern); i++)
		assert_int_equal(glob(pattern[i], i ? GLOB_APPEND : 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct manifest manifest = { 0 };
		struct err err = ERR_INIT;
		size_t len = 0;
		cleanup(freep) char *text = read_text(found.gl_pathv[i], &len);

		if (manifest_parse(text, len, &manifest, &err) < 0)
			fail_msg("%s: %s", found.gl_pathv[i], err.text);
		assert_int_equal(manifest.skipped_nr, 0);
		assert_true(manifest.doc_nr > 0);
		manifest_release(&manifest);
	}
	globfree(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_the_schema_is_known_to_the_code),
		cmocka_unit_test(every_field_of_a_status_is_in_the_schema),
		cmocka_unit_test(the_examples_are_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
