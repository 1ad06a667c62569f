/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/core/push/push_record.h"
#include "agent/sink/push_spool.h"

static char dir[64];
static uint64_t found_seq[16];
static size_t found_nr;

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/rubato-spool-XXXXXX");
	found_nr = 0;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct push_spool *open_spool(void)
{
	struct push_spool *spool = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(push_spool_open(dir, "pyroscope", &spool, &err), 0);
	return spool;
}

static void on_found(void *ctx, const char *ns, int64_t start_ns, uint64_t seq, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	assert_string_equal(ns, "payments");
	assert_int_equal(start_ns, 7);
	found_seq[found_nr++] = seq;
}

static void put_file(const char *name)
{
	cleanup(freep) char *path = xasprintf("%s/pyroscope/%s", dir, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs("x", file);
	fclose(file);
}

static bool is_there(const char *name)
{
	cleanup(freep) char *path = xasprintf("%s/pyroscope/%s", dir, name);

	return access(path, F_OK) == 0;
}

static void what_was_written_is_there_for_the_next_agent(void **state)
{
	static const uint8_t data[] = "a profile";
	struct push_spool_key key = { "payments", 7, 5 };
	struct push_spool *spool = open_spool();
	char name[PUSH_FILE_NAME];
	uint8_t *again;
	struct stat st;
	size_t len;

	(void)state;
	assert_true(push_spool_write(spool, &key, data, sizeof(data), NULL) >=
		    (int64_t)sizeof(data));
	key.seq = 3;
	assert_true(push_spool_write(spool, &key, data, sizeof(data), NULL) > 0);
	push_spool_free(spool);
	spool = open_spool();
	push_spool_each(spool, on_found, NULL);
	assert_int_equal(found_nr, 2);
	assert_int_equal(found_seq[0], 3);
	assert_int_equal(found_seq[1], 5);
	assert_int_equal(push_spool_read(spool, &key, &again, &len, NULL), 0);
	assert_int_equal(len, sizeof(data));
	assert_memory_equal(again, data, len);
	free(again);
	push_file_name("payments", 7, 3, name);
	assert_true(is_there(name));
	{
		cleanup(freep) char *path = xasprintf("%s/pyroscope/%s", dir, name);

		assert_int_equal(lstat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	push_spool_remove(spool, &key);
	assert_false(is_there(name));
	assert_true(push_spool_read(spool, &key, &again, &len, NULL) < 0);
	push_spool_free(spool);
}

static void files_of_others_are_left_alone(void **state)
{
	struct push_spool *spool = open_spool();

	(void)state;
	put_file("notes.txt");
	put_file("0000000000000003-0000000000000000007-payments.push.bak");
	put_file(".0000000000000003-0000000000000000007-payments.push.tmp");
	put_file(".x.tmp");
	put_file("0000000000000009-0000000000000000007-payments.push");
	push_spool_each(spool, on_found, NULL);
	assert_int_equal(found_nr, 1);
	assert_true(is_there("notes.txt"));
	assert_true(is_there("0000000000000003-0000000000000000007-payments.push.bak"));
	assert_true(is_there(".x.tmp"));
	assert_false(is_there(".0000000000000003-0000000000000000007-payments.push.tmp"));
	push_spool_free(spool);
}

static void a_link_is_not_followed(void **state)
{
	static const char *const name = "0000000000000003-0000000000000000007-payments.push";
	cleanup(freep) char *path = xasprintf("%s/pyroscope/%s", dir, name);
	struct push_spool_key key = { "payments", 7, 3 };
	struct push_spool *spool = open_spool();
	uint8_t *data;
	size_t len;

	(void)state;
	assert_int_equal(symlink("/etc/passwd", path), 0);
	push_spool_each(spool, on_found, NULL);
	assert_int_equal(found_nr, 0);
	assert_true(push_spool_read(spool, &key, &data, &len, NULL) < 0);
	push_spool_free(spool);
}

static void two_agents_do_not_share_one(void **state)
{
	struct push_spool *spool = open_spool(), *other = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(push_spool_open(dir, "pyroscope", &other, &err), -EBUSY);
	assert_non_null(strstr(err.text, "is used by another agent"));
	push_spool_free(spool);
	assert_int_equal(push_spool_open(dir, "pyroscope", &other, &err), 0);
	push_spool_free(other);
}

static void a_directory_that_cannot_be_is_named(void **state)
{
	struct push_spool *spool;
	struct err err = ERR_INIT;

	(void)state;
	assert_true(push_spool_open("/dev/null", "pyroscope", &spool, &err) < 0);
	assert_non_null(strstr(err.text, "/dev/null/pyroscope"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_written_is_there_for_the_next_agent, setup,
						teardown),
		cmocka_unit_test_setup_teardown(files_of_others_are_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_link_is_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(two_agents_do_not_share_one, setup, teardown),
		cmocka_unit_test(a_directory_that_cannot_be_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
