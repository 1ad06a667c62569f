/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/object/manifest.h"
#include "lib/core/limits.h"
#include "lib/core/plan/caps.h"
#include "lib/core/text/duration.h"
#include "tests/unit/controller/core/object/crd.h"

/* What the CRDs bound, the code bounds, and the other way round. */

static json_int_t number(const json_t *crd, const char *path, const char *member)
{
	const json_t *value = json_object_get(schema(crd, path), member);

	if (!json_is_integer(value))
		fail_msg("%s has no %s", path, member);
	return json_integer_value(value);
}

static void is_rate(const json_t *crd, const char *path)
{
	assert_int_equal(number(crd, path, "minimum"), 0);
	assert_int_equal(number(crd, path, "maximum"), LIMIT_SAMPLE_RATE_HZ);
}

static void is_caps(const json_t *crd, const char *path)
{
	const json_t *words = json_object_get(json_object_get(schema(crd, path), "items"), "enum"),
		     *word;
	uint32_t caps = 0;
	size_t i;

	json_array_foreach(words, i, word) caps |= capability_from_name(json_string_value(word));
	assert_int_equal(caps, CAPS_ALL);
	assert_int_equal(json_array_size(words), __builtin_popcount(CAPS_ALL));
	assert_int_equal(number(crd, path, "maxItems"), json_array_size(words));
}

static void is_selector(const json_t *crd, const char *path)
{
	char below[128];

	snprintf(below, sizeof(below), "%s.matchLabels", path);
	assert_int_equal(number(crd, below, "maxProperties"), LIMIT_SELECTOR_TERMS);
	snprintf(below, sizeof(below), "%s.matchExpressions", path);
	assert_int_equal(number(crd, below, "maxItems"), LIMIT_SELECTOR_TERMS);
	snprintf(below, sizeof(below), "%s.matchExpressions.[].values", path);
	assert_int_equal(number(crd, below, "maxItems"), LIMIT_SELECTOR_VALUES);
}

static void bounds_are_those_of_the_code(void **state)
{
	json_t *policy = read_crd(POLICY_CRD), *cluster = read_crd(CLUSTER_CRD);

	(void)state;
	is_rate(policy, "spec.sampleRateHz");
	is_rate(policy, "status.effectiveSampleRateHz");
	is_rate(cluster, "spec.defaults.sampleRateHz");
	is_rate(cluster, "spec.limits.maxSampleRateHz");
	is_rate(cluster, "spec.limits.maxContinuousSampleRateHz");
	is_caps(policy, "spec.capabilities.add");
	is_caps(policy, "spec.capabilities.drop");
	is_caps(cluster, "spec.defaults.capabilities");
	is_caps(cluster, "spec.limits.allowedCapabilities");
	is_selector(policy, "spec.selector");
	is_selector(cluster, "spec.namespaceSelector");
	is_selector(cluster, "spec.nodeSelector");
	assert_int_equal(number(policy, "spec.containers", "maxItems"), LIMIT_CONTAINER_NAMES);
	assert_int_equal(number(policy, "spec.reason", "maxLength"), LIMIT_REASON_BYTES);
	json_decref(policy);
	json_decref(cluster);
}

/* --- every value from outside is bounded, nothing has a default --- */

static bool has(const json_t *schema, const char *member)
{
	return json_object_get(schema, member) != NULL;
}

static void is_bounded(const json_t *schema, const char *path, int depth)
{
	const char *type = json_string_value(json_object_get(schema, "type"));
	const json_t *more = json_object_get(schema, "additionalProperties"), *below;
	const char *name;

	assert_true(depth < 16);
	if (!type)
		fail_msg("%s has no type", path);
	if (has(schema, "default"))
		fail_msg("%s has a default: what is absent could not be inherited", path);
	if (strcmp(type, "string") == 0 && !has(schema, "maxLength"))
		fail_msg("%s has no maxLength", path);
	if (strcmp(type, "integer") == 0 && !has(schema, "minimum"))
		fail_msg("%s has no minimum", path);
	if (more && !has(schema, "maxProperties"))
		fail_msg("%s has no maxProperties", path);
	if (more)
		is_bounded(more, path, depth + 1);
	if (strcmp(type, "array") == 0) {
		if (!has(schema, "maxItems") || !has(schema, "x-kubernetes-list-type"))
			fail_msg("%s has no maxItems or list type", path);
		is_bounded(json_object_get(schema, "items"), path, depth + 1);
	}
	json_object_foreach((json_t *)json_object_get(schema, "properties"), name, below)
	{
		cleanup(freep) char *deeper = xasprintf("%s.%s", path, name);

		if (!has(below, "description") && strncmp(deeper, ".metadata", 9) != 0)
			fail_msg("%s has no description for kubectl explain", deeper);
		is_bounded(below, deeper, depth + 1);
	}
}

static void everything_is_bounded_described_and_without_default(void **state)
{
	static const char *const path[] = { POLICY_CRD, CLUSTER_CRD };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
		json_t *crd = read_crd(path[i]);

		is_bounded(
			json_object_get(json_object_get(version(crd), "schema"), "openAPIV3Schema"),
			"", 0);
		json_decref(crd);
	}
}

/* --- durations --- */

static bool code_accepts(const char *duration)
{
	cleanup(freep) char *text = xasprintf("{apiVersion: profiling.rubato.dev/v1alpha1, kind: "
					      "ProfilingPolicy, metadata: {name: a, namespace: n}, "
					      "spec: {sampleRateHz: 1, duration: \"%s\"}}",
					      duration);
	struct manifest manifest = { 0 };
	int r = manifest_parse(text, strlen(text), &manifest, NULL);

	manifest_release(&manifest);
	return r == 0;
}

/* The text between `before` and the next quote in a rule. */
static char *in_rule(const char *rule, const char *before)
{
	const char *start = strstr(rule, before);

	assert_non_null(start);
	start += strlen(before);
	return xstrndup(start, strcspn(start, "'"));
}

static void durations_are_accepted_by_both_or_by_neither(void **state)
{
	static const char *const text[] = {
		"10s",
		"15s",
		"1h30m",
		"1.5m",
		"90s",
		"24h",
		"23h59m60s",
		"9s",
		"9.9s",
		"24h1s",
		"25h",
		"0s",
		"10",
		"",
		"15 s",
		"-15s",
		"1d",
		"abc",
		"1h30",
		"15S",
		"15000ms",
		"s15",
		"1e3s",
		"15000000us",
		"99999h",
		"1m1",
		"1,5m",
		".5m",
		"+15s",
		"1.m",
		"1.5.5m",
		"15000000\xc2\xb5s",
		"000000015s",
		"0000000015s",
		"1.000000000m",
		"1.0000000000m",
		"10s5m",
		"5m5m5m5m5m5m5m5m",
		"5m5m5m5m5m5m5m5m5",
		"5m5m5m5m5m5m5m5m5m",
		"15m ",
		"15sm",
		"15ss",
		"1m\\n",
		"9",
		"1h15ms15us15ns",
	};
	json_t *crd = read_crd(POLICY_CRD);
	const json_t *field = schema(crd, "spec.duration");
	const json_t *rules = json_object_get(field, "x-kubernetes-validations");
	const char *syntax = json_string_value(json_object_get(json_array_get(rules, 0), "rule"));
	const char *range = json_string_value(json_object_get(json_array_get(rules, 1), "rule"));
	cleanup(freep) char *pattern = in_rule(syntax, "matches('");
	cleanup(freep) char *min = in_rule(range, ">= duration('");
	cleanup(freep) char *max = in_rule(range, "<= duration('");
	int64_t min_ns = 0, max_ns = 0;
	regex_t regex;

	(void)state;
	assert_int_equal(duration_parse(min, &min_ns, NULL), 0);
	assert_int_equal(duration_parse(max, &max_ns, NULL), 0);
	assert_int_equal(min_ns, LIMIT_BOOST_NS_MIN);
	assert_int_equal(max_ns, LIMIT_BOOST_NS_MAX);
	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		int64_t ns = 0;
		size_t len = strlen(text[i]);
		bool schema_accepts =
			(json_int_t)len >= number(crd, "spec.duration", "minLength") &&
			(json_int_t)len <= number(crd, "spec.duration", "maxLength") &&
			regexec(&regex, text[i], 0, NULL, 0) == 0 &&
			duration_parse(text[i], &ns, NULL) == 0 && ns >= min_ns && ns <= max_ns;

		if (schema_accepts != code_accepts(text[i]))
			fail_msg("\"%s\": the schema says %d", text[i], schema_accepts);
	}
	regfree(&regex);
	json_decref(crd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_are_those_of_the_code),
		cmocka_unit_test(everything_is_bounded_described_and_without_default),
		cmocka_unit_test(durations_are_accepted_by_both_or_by_neither),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
