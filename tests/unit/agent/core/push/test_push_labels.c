/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/core/push/push_labels.h"

static const char *value_of(const struct push_labels *labels, const char *name)
{
	for (size_t i = 0; i < labels->nr; i++)
		if (strcmp(labels->label[i].name, name) == 0)
			return labels->label[i].value;
	return NULL;
}

static struct profile_meta meta_of(const char *ns, struct plan_label *label, size_t nr)
{
	return (struct profile_meta){ .ns = ns,
				      .pod = "settle-0",
				      .container = "app",
				      .node = "node-a",
				      .rate_hz = 19,
				      .label = label,
				      .label_nr = nr };
}

static void labels_follow_the_backends_conventions(void **state)
{
	static const char *const added[] = { "cluster=prod", "pod=mine" };
	struct plan_label pod[] = { { (char *)"app.kubernetes.io/name", (char *)"settle" },
				    { (char *)"namespace", (char *)"kube-system" },
				    { (char *)"version", (char *)"" } };
	struct push_labeler *labeler = push_labeler_new(added, ARRAY_SIZE(added), 10);
	struct profile_meta meta = meta_of("payments", pod, ARRAY_SIZE(pod));
	struct push_labels labels;

	(void)state;
	push_labels_make(labeler, &meta, 0, &labels);
	assert_int_equal(labels.nr, 8);
	assert_string_equal(labels.label[0].name, "__name__");
	assert_string_equal(labels.label[0].value, "process_cpu");
	assert_string_equal(value_of(&labels, "service_name"), "payments/app");
	assert_string_equal(value_of(&labels, "namespace"), "payments");
	assert_string_equal(value_of(&labels, "pod"), "settle-0");
	assert_string_equal(value_of(&labels, "container"), "app");
	assert_string_equal(value_of(&labels, "node"), "node-a");
	assert_string_equal(value_of(&labels, "cluster"), "prod");
	assert_string_equal(value_of(&labels, "app_kubernetes_io_name"), "settle");
	for (size_t i = 1; i < labels.nr; i++)
		assert_true(strcmp(labels.label[i - 1].name, labels.label[i].name) < 0);
	push_labels_release(&labels);
	meta.service = "settlement";
	push_labels_make(labeler, &meta, 0, &labels);
	assert_string_equal(value_of(&labels, "service_name"), "settlement");
	push_labels_release(&labels);
	push_labeler_free(labeler);
}

static void expect(struct push_labeler *labeler, const char *ns, const char *value, int64_t now_ns,
		   const char *wanted)
{
	struct plan_label pod = { (char *)"version", (char *)value };
	struct profile_meta meta = meta_of(ns, &pod, 1);
	struct push_labels labels;

	push_labels_make(labeler, &meta, now_ns, &labels);
	assert_string_equal(value_of(&labels, "version"), wanted);
	push_labels_release(&labels);
}

static void one_namespace_has_so_many_values_and_not_anothers(void **state)
{
	struct push_labeler *labeler = push_labeler_new(NULL, 0, 3);
	int64_t later_ns = PUSH_LABEL_FORGET_NS + 2;

	(void)state;
	for (int i = 0; i < 100; i++) {
		char value[16];

		snprintf(value, sizeof(value), "v%d", i);
		expect(labeler, "evil", value, 1, i < 3 ? value : PUSH_LABEL_OTHER);
	}
	assert_int_equal(push_labeler_folded(labeler), 97);
	expect(labeler, "payments", "v50", 1, "v50");
	expect(labeler, "evil", "v2", later_ns, "v2");
	expect(labeler, "evil", "v98", later_ns, "v98");
	expect(labeler, "evil", "v99", later_ns, "v99");
	expect(labeler, "evil", "v0", later_ns, PUSH_LABEL_OTHER);
	push_labeler_free(labeler);
}

static void values_are_clean_and_short(void **state)
{
	struct push_labeler *labeler = push_labeler_new(NULL, 0, 3);
	char *longest = xcalloc(5000, 1);
	struct profile_meta meta = meta_of("payments", NULL, 0);
	struct push_labels labels;

	(void)state;
	memset(longest, 'x', 4999);
	meta.pod = "a\xff\nb";
	meta.service = longest;
	push_labels_make(labeler, &meta, 0, &labels);
	assert_string_equal(value_of(&labels, "pod"), "a??b");
	assert_int_equal(strlen(value_of(&labels, "service_name")), PUSH_LABEL_BYTES);
	push_labels_release(&labels);
	push_labeler_free(labeler);
	free(longest);
}

static void added_labels_are_checked(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(push_label_check("cluster=prod", &err), 0);
	assert_true(push_label_check("cluster", &err) < 0);
	assert_non_null(strstr(err.text, "is not NAME=VALUE"));
	assert_true(push_label_check("cluster=", &err) < 0);
	assert_true(push_label_check("=prod", &err) < 0);
	assert_true(push_label_check("a.b=c", &err) < 0);
	assert_true(push_label_check("__name__=c", &err) < 0);
	assert_true(push_label_check("1a=c", &err) < 0);
	assert_true(push_label_check("namespace=c", &err) < 0);
	assert_string_equal(err.text, "namespace is set by the agent");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_follow_the_backends_conventions),
		cmocka_unit_test(one_namespace_has_so_many_values_and_not_anothers),
		cmocka_unit_test(values_are_clean_and_short),
		cmocka_unit_test(added_labels_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
