/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fs.h"

static char dir[] = "/tmp/rubato-fs-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void check_content(const char *path, const char *expected)
{
	cleanup(freep) char *buf = NULL;
	size_t len;

	assert_int_equal(fs_read_file(path, 100, &buf, &len, NULL), 0);
	assert_int_equal(len, strlen(expected));
	assert_string_equal(buf, expected);
}

static size_t count_entries(void)
{
	DIR *d = opendir(dir);
	size_t nr = 0;

	assert_non_null(d);
	while (readdir(d))
		nr++;
	closedir(d);
	return nr - 2;
}

static void a_file_is_replaced_whole(void **state)
{
	cleanup(freep) char *path = xasprintf("%s/f", dir);
	struct stat st;

	(void)state;
	assert_int_equal(fs_write_file(path, "old", 3, 0600, FS_NO_SYNC, NULL), 0);
	assert_int_equal(fs_write_file(path, "newer", 5, 0640, FS_SYNC, NULL), 0);
	check_content(path, "newer");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(count_entries(), 1);
	unlink(path);
}

static void a_failed_write_leaves_nothing_behind(void **state)
{
	cleanup(freep) char *path = xasprintf("%s/d", dir);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(fs_write_file(path, "x", 1, 0600, FS_NO_SYNC, &err), -EISDIR);
	assert_non_null(strstr(err.text, "/d: Is a directory"));
	assert_int_equal(count_entries(), 1);
	rmdir(path);
}

static void what_is_too_large_or_no_file_is_refused(void **state)
{
	cleanup(freep) char *path = xasprintf("%s/f", dir);
	cleanup(freep) char *fifo = xasprintf("%s/fifo", dir);
	char *buf = NULL;
	size_t len;

	(void)state;
	assert_int_equal(fs_write_file(path, "0123456789", 10, 0600, FS_NO_SYNC, NULL), 0);
	assert_int_equal(fs_read_file(path, 9, &buf, &len, NULL), -EFBIG);
	assert_int_equal(fs_read_file(dir, 9, &buf, &len, NULL), -EINVAL);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(fs_read_file(fifo, 9, &buf, &len, NULL), -EINVAL);
	assert_int_equal(fs_read_file("/nonexistent", 9, &buf, &len, NULL), -ENOENT);
	assert_int_equal(fs_read_file("/proc/self/mountinfo", 9, &buf, &len, NULL), -EFBIG);
	assert_null(buf);
	unlink(path);
	unlink(fifo);
}

static void directories_are_made_down_to_the_last(void **state)
{
	cleanup(freep) char *a = xasprintf("%s/a", dir);
	cleanup(freep) char *b = xasprintf("%s/a/b", dir);
	cleanup(freep) char *file = xasprintf("%s/f", dir);

	(void)state;
	assert_int_equal(fs_mkdir_all(b, 0700, NULL), 0);
	assert_int_equal(fs_mkdir_all(b, 0700, NULL), 0);
	assert_int_equal(access(b, X_OK), 0);
	assert_int_equal(fs_write_file(file, "", 0, 0600, FS_NO_SYNC, NULL), 0);
	assert_int_equal(fs_mkdir_all(file, 0700, NULL), -ENOTDIR);
	unlink(file);
	rmdir(b);
	rmdir(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_replaced_whole),
		cmocka_unit_test(a_failed_write_leaves_nothing_behind),
		cmocka_unit_test(what_is_too_large_or_no_file_is_refused),
		cmocka_unit_test(directories_are_made_down_to_the_last),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
