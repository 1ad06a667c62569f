/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sink/sink_file.h"

static struct profile_meta meta_of(const char *ns, const char *pod, int64_t second)
{
	return (struct profile_meta){
		.ns = ns,
		.pod = pod,
		.container = "app",
		.rate_hz = 19,
		.start_ns = second * NSEC_PER_SEC + 123 * NSEC_PER_MSEC,
		.duration_ns = NSEC_PER_SEC,
	};
}

static char dir[64];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/rubato-sink-XXXXXX");
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

static bool exists(const char *below, mode_t mode)
{
	cleanup(freep) char *path = xasprintf("%s/%s", dir, below);
	struct stat st;

	return lstat(path, &st) == 0 && (st.st_mode & 07777) == mode;
}

static struct sink_file *open_sink(int64_t max_bytes)
{
	struct sink_file_options options = { .dir = dir, .max_bytes = max_bytes };
	struct sink_file *sink = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(sink_file_new(&options, &sink, &err), 0);
	return sink;
}

static void put(struct sink_file *sink, const struct profile_meta *meta, size_t len)
{
	cleanup(freep) uint8_t *data = xcalloc(len, 1);
	struct err err = ERR_INIT;

	assert_int_equal(sink_file_write(sink, meta, data, len, &err), 0);
}

static void a_profile_is_named_by_place_time_and_rate(void **state)
{
	struct sink_file *sink = open_sink(0);
	struct profile_meta meta = meta_of("payments", "settle-0", 1795230900);

	(void)state;
	umask(022);
	put(sink, &meta, 100);
	assert_true(exists("payments/settle-0/app/20261121T031500.123Z-19hz.pb.gz", 0644));
	assert_true(exists("payments/settle-0", 0755));
	sink_file_free(sink);
}

static void names_cannot_lead_out_of_the_directory(void **state)
{
	struct sink_file *sink = open_sink(0);
	struct profile_meta meta = meta_of("../../etc", "..", 1795230900);

	(void)state;
	meta.container = NULL;
	put(sink, &meta, 1);
	assert_true(exists("_._.._etc/_./_/20261121T031500.123Z-19hz.pb.gz", 0644));
	sink_file_free(sink);
}

static void a_link_is_not_followed(void **state)
{
	cleanup(freep) char *link = xasprintf("%s/payments", dir);
	struct profile_meta meta = meta_of("payments", "settle-0", 1795230900);
	struct sink_file *sink = open_sink(0);
	struct sink_file_stats stats;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(symlink("/tmp", link), 0);
	assert_true(sink_file_write(sink, &meta, (const uint8_t *)"x", 1, &err) < 0);
	assert_non_null(strstr(err.text, dir));
	assert_non_null(strstr(err.text, "payments/"));
	sink_file_stats(sink, &stats);
	assert_int_equal(stats.failed, 1);
	assert_int_equal(stats.written, 0);
	sink_file_free(sink);
}

static void the_oldest_go_when_there_is_too_much(void **state)
{
	struct sink_file *sink = open_sink(10000);
	struct sink_file_stats stats;

	(void)state;
	for (int i = 0; i < 11; i++) {
		struct profile_meta meta = meta_of("ns", i < 3 ? "old" : "new", 1795230900 + i);

		put(sink, &meta, 1000);
	}
	sink_file_stats(sink, &stats);
	assert_int_equal(stats.written, 11);
	assert_int_equal(stats.deleted, 2);
	assert_int_equal(stats.bytes, 9000);
	assert_false(exists("ns/old/app/20261121T031500.123Z-19hz.pb.gz", 0644));
	assert_false(exists("ns/old/app/20261121T031501.123Z-19hz.pb.gz", 0644));
	assert_true(exists("ns/old/app/20261121T031502.123Z-19hz.pb.gz", 0644));
	for (int i = 11; i < 13; i++) {
		struct profile_meta meta = meta_of("ns", "new", 1795230900 + i);

		put(sink, &meta, 1000);
	}
	assert_false(exists("ns/old", 0755));
	sink_file_free(sink);
	sink = open_sink(10000);
	sink_file_stats(sink, &stats);
	assert_int_equal(stats.bytes, 9000);
	sink_file_free(sink);
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
	struct sink_file_options options = { .dir = "/proc/no/such" };
	struct sink_file *sink = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(sink_file_new(&options, &sink, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/proc/no/such"));
	assert_null(sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_profile_is_named_by_place_time_and_rate, setup,
						teardown),
		cmocka_unit_test_setup_teardown(names_cannot_lead_out_of_the_directory, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_link_is_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(the_oldest_go_when_there_is_too_much, setup,
						teardown),
		cmocka_unit_test(a_directory_that_cannot_be_made_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
