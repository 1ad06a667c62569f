/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/check.h"
#include "lib/fs.h"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/rubato-check-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	cleanup(freep) char *path = xasprintf("%s/all.yaml", dir);

	(void)state;
	return unlink(path) < 0 ? -1 : rmdir(dir);
}

/* What --check prints of these manifests. */
static char *check(const char *manifests, int want)
{
	cleanup(freep) char *path = xasprintf("%s/all.yaml", dir);
	struct err err = ERR_INIT;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(fs_write_file(path, manifests, strlen(manifests), 0644, FS_NO_SYNC, NULL),
			 0);
	assert_int_equal(check_source(dir, out, &err), want);
	fclose(out);
	return text;
}

static void check_says(const char *manifests, const char *line)
{
	cleanup(freep) char *text = check(manifests, 0);

	if (!strstr(text, line))
		fail_msg("no \"%s\" in:\n%s", line, text);
}

#define POLICY                                                                                     \
	"apiVersion: profiling.rubato.dev/v1alpha1\n"                                              \
	"kind: ProfilingPolicy\n"                                                                  \
	"metadata: {name: boost, namespace: payments}\n"                                           \
	"spec: {sampleRateHz: 100, duration: 2h}\n"
#define FLEET                                                                                      \
	"---\n"                                                                                    \
	"apiVersion: profiling.rubato.dev/v1alpha1\n"                                              \
	"kind: ClusterProfilingPolicy\n"                                                           \
	"metadata: {name: fleet}\n"                                                                \
	"spec: {namespaceSelector: {matchLabels: {team: a}}, defaults: {sampleRateHz: 29},\n"      \
	"  limits: {maxSampleRateHz: 100, maxDuration: 1h}}\n"
#define NAMESPACE(LABELS)                                                                          \
	"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: payments, labels: " LABELS "}\n"

static void a_policy_without_pods_says_so(void **state)
{
	(void)state;
	check_says(POLICY, "no pods: it selects no running one\n");
}

static void a_shortened_boost_says_by_whom(void **state)
{
	(void)state;
	check_says(POLICY FLEET NAMESPACE("{team: a}"), "   2h0m0s  ");
	check_says(POLICY FLEET NAMESPACE("{team: a}"), "  shortened to 1h0m0s by fleet; no pods");
}

static void where_the_limit_does_not_reach_nothing_is_shortened(void **state)
{
	cleanup(freep) char *text = check(POLICY FLEET NAMESPACE("{team: b}"), 0);

	(void)state;
	assert_null(strstr(text, "shortened"));
}

static void cluster_policies_are_listed(void **state)
{
	(void)state;
	check_says(POLICY FLEET NAMESPACE("{team: a}"),
		   "29 Hz       1 of 1       0 of 0  at most 100 Hz  for 1h0m0s\n");
	check_says(POLICY FLEET NAMESPACE("{team: b}"), "29 Hz       0 of 1       0 of 0");
	check_says(POLICY FLEET NAMESPACE("{team: b}"), "CLUSTER POLICY ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_policy_without_pods_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(a_shortened_boost_says_by_whom, setup, teardown),
		cmocka_unit_test_setup_teardown(where_the_limit_does_not_reach_nothing_is_shortened,
						setup, teardown),
		cmocka_unit_test_setup_teardown(cluster_policies_are_listed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
