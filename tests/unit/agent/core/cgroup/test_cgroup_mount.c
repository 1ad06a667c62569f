/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "agent/core/cgroup/cgroup_mount.h"

static void check(const char *text, const char *path, bool v1)
{
	struct cgroup_mount mount = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(cgroup_mount_parse(text, &mount, &err), 0);
	assert_string_equal(mount.path, path);
	assert_int_equal(mount.v1, v1);
	cgroup_mount_release(&mount);
}

static void a_machine_of_cgroup2_has_one_tree(void **state)
{
	(void)state;
	check("22 1 0:21 / /proc rw - proc proc rw\n"
	      "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
	      "/sys/fs/cgroup", false);
}

static void a_hybrid_machine_has_it_beside_the_controllers(void **state)
{
	(void)state;
	check("35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
	      "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
	      "/sys/fs/cgroup/unified", false);
}

static void an_old_machine_has_the_memory_controller(void **state)
{
	(void)state;
	check("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	      "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
	      "/sys/fs/cgroup/memory", true);
}

static void the_hosts_whole_tree_is_better_than_our_part_of_it(void **state)
{
	(void)state;
	check("30 23 0:26 /kubepods/x /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
	      "31 23 0:26 / /host/my\\040cgroups ro - cgroup2 cgroup rw\n",
	      "/host/my cgroups", false);
}

static void without_a_tree_the_remedy_is_told(void **state)
{
	static const char *const cases[] = {
		"", "\n\n", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2",
		"1 2 3 / /x rw cgroup2 cgroup2 rw",
		"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,memorycpu\n"
	};
	struct cgroup_mount mount;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(cgroup_mount_parse(cases[i], &mount, &err), -ENOENT);
		assert_non_null(strstr(err.text, "--cgroup-root"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_of_cgroup2_has_one_tree),
		cmocka_unit_test(a_hybrid_machine_has_it_beside_the_controllers),
		cmocka_unit_test(an_old_machine_has_the_memory_controller),
		cmocka_unit_test(the_hosts_whole_tree_is_better_than_our_part_of_it),
		cmocka_unit_test(without_a_tree_the_remedy_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
