/* SPDX-License-Identifier: Apache-2.0 */

/* Over directories of ours: a scan reads names and numbers, of whatever file system. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/kernel/cgroup_scan.h"

static const char *const tree[] = { "/pod", "/pod/app", "/pod/app/x", "/pod/app/x/y", "/system" };

struct seen {
	const char *whole; /* what lies below it is not asked for */
	char text[512];
};

static int setup(void **state)
{
	char *dir = xstrdup("/tmp/rubato-scan-XXXXXX");

	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(tree); i++) {
		cleanup(freep) char *path = xasprintf("%s%s", dir, tree[i]);

		assert_int_equal(mkdir(path, 0700), 0);
	}
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	char *dir = *state;

	for (size_t i = ARRAY_SIZE(tree); i-- > 0;) {
		cleanup(freep) char *path = xasprintf("%s%s", dir, tree[i]);

		rmdir(path);
	}
	rmdir(dir);
	free(dir);
	return 0;
}

static bool on_seen(void *ctx, uint64_t id, const char *path)
{
	struct seen *seen = ctx;
	size_t len = strlen(seen->text);

	assert_true(id > 0);
	snprintf(seen->text + len, sizeof(seen->text) - len, "%s ", path);
	return !seen->whole || strcmp(path, seen->whole) != 0;
}

static void check(char *dir, const char *whole, const char *path, bool wanted)
{
	const struct cgroup_mount mount = { .path = dir };
	struct seen seen = { .whole = whole };
	struct err err = ERR_INIT;

	assert_int_equal(cgroup_scan(&mount, on_seen, &seen, &err), 1);
	assert_int_equal(strstr(seen.text, path) != NULL, wanted);
	assert_non_null(strstr(seen.text, "/system "));
}

static void every_directory_is_seen(void **state)
{
	check(*state, NULL, "/pod ", true);
	check(*state, NULL, "/pod/app/x/y ", true);
}

static void what_lies_below_a_container_is_passed_over(void **state)
{
	check(*state, "/pod/app", "/pod/app ", true);
	check(*state, "/pod/app", "/pod/app/x", false);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_directory_is_seen),
		CASE(what_lies_below_a_container_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
