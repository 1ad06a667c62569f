/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/sysmacros.h>

#include "agent/core/symbol/mount_line.h"

static struct mount_line line;

static bool parse(const char *text)
{
	return mount_line_parse(text, strlen(text), &line);
}

static void a_line_is_read(void **state)
{
	(void)state;
	assert_true(parse("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 "
			  "/dev/root rw,errors=continue\n"));
	assert_int_equal(line.id, 36);
	assert_int_equal(line.dev, makedev(98, 0));
	assert_string_equal(line.type, "ext3");
	assert_true(parse("36 35 0:51 / /a\\040-\\040ext4 rw - fuse.sshfs - rw"));
	assert_string_equal(line.type, "fuse.sshfs");
	assert_true(parse("1 0 0:1 / / rw - tmpfs"));
	assert_string_equal(line.type, "tmpfs");
}

static void what_is_no_line_is_refused(void **state)
{
	static const char *const bad[] = { "",
					   " - ",
					   "36 35 98:0 /mnt1",
					   "x 35 98:0 / / rw - ext3",
					   "36 35 98 / / rw - ext3",
					   "36 35 98:0 / / rw - \n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(parse(bad[i]));
}

static void a_type_that_begins_with_nul_is_refused(void **state)
{
	static const char text[] = "36 35 98:0 / / rw - \0fuse x rw";

	(void)state;
	assert_false(mount_line_parse(text, sizeof(text) - 1, &line));
}

static void a_long_type_is_cut(void **state)
{
	(void)state;
	assert_true(parse("36 35 98:0 / / rw - fuse.012345678901234567890123456789012345 x rw"));
	assert_int_equal(strlen(line.type), MOUNT_TYPE_BYTES - 1);
	assert_true(mount_type_may_block(line.type));
}

static void servers_may_block_and_disks_do_not(void **state)
{
	static const char *const served[] = { "fuse", "fuse.sshfs", "fuseblk", "virtiofs", "nfs",
					      "nfs4", "cifs",	    "smb3",    "ceph",	   "9p" };
	static const char *const local[] = {
		"ext4", "xfs", "btrfs", "overlay", "tmpfs", "squashfs"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(served); i++)
		assert_true(mount_type_may_block(served[i]));
	for (size_t i = 0; i < ARRAY_SIZE(local); i++)
		assert_false(mount_type_may_block(local[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_read),
		cmocka_unit_test(what_is_no_line_is_refused),
		cmocka_unit_test(a_type_that_begins_with_nul_is_refused),
		cmocka_unit_test(a_long_type_is_cut),
		cmocka_unit_test(servers_may_block_and_disks_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
