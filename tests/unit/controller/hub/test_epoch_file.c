/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/hub/epoch_file.h"

static char dir[] = "/tmp/rubato-epoch-XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/epoch", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static int64_t next(int64_t wall_s, int64_t t)
{
	struct control_epoch epoch;
	struct err err = ERR_INIT;

	assert_int_equal(epoch_file_next(path, wall_s, &epoch, &err), 0);
	assert_int_equal(epoch.t, t);
	return epoch.n;
}

static void starts_are_counted(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(next(5000, 5000), 1);
	assert_int_equal(next(1400, 5000), 2); /* the clock was ahead at the first start */
	assert_int_equal(next(5000, 5000), 3);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_damaged_file_stops_the_start_and_is_named(void **state)
{
	struct control_epoch epoch = { .n = 99 };
	struct err err = ERR_INIT;
	FILE *file = fopen(path, "we");

	(void)state;
	assert_non_null(file);
	fputs("{\"epoch\":", file);
	fclose(file);
	assert_int_equal(epoch_file_next(path, 5000, &epoch, &err), -EINVAL);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(epoch.n, 99);
}

static void a_place_that_cannot_be_written_stops_the_start(void **state)
{
	struct control_epoch epoch;
	struct err err = ERR_INIT;

	(void)state;
	assert_true(epoch_file_next("/proc/no-such/epoch", 5000, &epoch, &err) < 0);
	assert_non_null(strstr(err.text, "/proc/no-such"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(starts_are_counted),
		T(a_damaged_file_stops_the_start_and_is_named),
		T(a_place_that_cannot_be_written_stops_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
