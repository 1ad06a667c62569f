/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/sink/sink_file.h"
#include "agent/sink/sink_retain.h"

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

/* What a profile of `len` bytes takes of this disk. */
static int64_t on_disk(size_t len)
{
	struct sink_file *sink = open_sink(0);
	struct profile_meta meta = meta_of("probe", "pod", 1795230800);
	struct sink_file_stats stats;

	put(sink, &meta, len);
	sink_file_stats(sink, &stats);
	sink_file_free(sink);
	assert_int_equal(teardown(NULL), 0);
	assert_int_equal(mkdir(dir, 0755), 0);
	return stats.bytes;
}

static void the_oldest_go_when_there_is_too_much(void **state)
{
	const int64_t one = on_disk(1000);
	struct sink_file *sink = open_sink(10 * one);
	struct sink_file_stats stats;

	(void)state;
	for (int i = 0; i < 11; i++) {
		struct profile_meta meta = meta_of("ns", i < 3 ? "old" : "new", 1795230900 + i);

		put(sink, &meta, 1000);
	}
	sink_file_stats(sink, &stats);
	assert_int_equal(stats.written, 11);
	assert_int_equal(stats.deleted, 2);
	assert_int_equal(stats.bytes, 9 * one);
	assert_false(exists("ns/old/app/20261121T031500.123Z-19hz.pb.gz", 0644));
	assert_false(exists("ns/old/app/20261121T031501.123Z-19hz.pb.gz", 0644));
	assert_true(exists("ns/old/app/20261121T031502.123Z-19hz.pb.gz", 0644));
	for (int i = 11; i < 13; i++) {
		struct profile_meta meta = meta_of("ns", "new", 1795230900 + i);

		put(sink, &meta, 1000);
	}
	assert_false(exists("ns/old", 0755));
	sink_file_free(sink);
	sink = open_sink(10 * one);
	sink_file_stats(sink, &stats);
	assert_int_equal(stats.bytes, 9 * one);
	sink_file_free(sink);
}

static void what_counts_is_what_the_disk_counts(void **state)
{
	struct sink_file *sink = open_sink(0);
	struct profile_meta meta = meta_of("ns", "pod", 1795230900);
	struct sink_file_stats stats;
	struct stat st;
	cleanup(freep) char *path = xasprintf("%s/ns/pod/app/20261121T031500.123Z-19hz.pb.gz", dir);

	(void)state;
	put(sink, &meta, 1);
	sink_file_stats(sink, &stats);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(stats.bytes, st.st_blocks * 512);
	assert_true(stats.bytes >= 512);
	sink_file_free(sink);
}

static void a_restarted_container_overwrites_nothing(void **state)
{
	struct sink_file *sink = open_sink(0);
	struct profile_meta meta = meta_of("ns", "pod", 1795230900);

	(void)state;
	meta.cid = "0123456789abcdef0123456789abcdef";
	put(sink, &meta, 1);
	meta.cid = "fedcba9876543210fedcba9876543210";
	put(sink, &meta, 1);
	meta.cid = "../../x";
	put(sink, &meta, 1);
	assert_true(exists("ns/pod/app/20261121T031500.123Z-0123456789ab-19hz.pb.gz", 0644));
	assert_true(exists("ns/pod/app/20261121T031500.123Z-fedcba987654-19hz.pb.gz", 0644));
	assert_true(exists("ns/pod/app/20261121T031500.123Z-19hz.pb.gz", 0644));
	sink_file_free(sink);
}

static void what_has_all_of_its_name_in_common_overwrites_nothing(void **state)
{
	struct sink_file *sink = open_sink(0);
	struct profile_meta meta = meta_of("shop", "cart", 1000000000);
	struct sink_file_stats stats;

	(void)state;
	put(sink, &meta, 10);
	put(sink, &meta, 10);
	meta.cid = "0123456789abcdef";
	put(sink, &meta, 10);
	put(sink, &meta, 10);
	assert_true(exists("shop/cart/app/20010909T014640.123Z-19hz.pb.gz", 0644));
	assert_true(exists("shop/cart/app/20010909T014640.123Z-1-19hz.pb.gz", 0644));
	assert_true(exists("shop/cart/app/20010909T014640.123Z-0123456789ab-19hz.pb.gz", 0644));
	assert_true(exists("shop/cart/app/20010909T014640.123Z-0123456789ab1-19hz.pb.gz", 0644));
	assert_true(sink_name_is_ours("20010909T014640.123Z-0123456789ab1-19hz.pb.gz"));
	sink_file_stats(sink, &stats);
	assert_int_equal(stats.written, 4);
	sink_file_free(sink);
}

/* In mounts of a process of its own. */
static int write_under_a_mount(void)
{
	struct profile_meta before = meta_of("shop", "cart", 1000000000);
	struct profile_meta after = meta_of("shop", "cart", 1000000001);
	struct sink_file *sink = open_sink(0);

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	put(sink, &before, 10);
	if (mount("none", dir, "tmpfs", 0, NULL) < 0)
		return 77;
	put(sink, &after, 10);
	return exists("shop/cart/app/20010909T014641.123Z-19hz.pb.gz", 0644) &&
			       !exists("shop/cart/app/20010909T014640.123Z-19hz.pb.gz", 0644)
		       ? 0
		       : 1;
}

static void one_that_is_mounted_over_is_followed(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(write_under_a_mount());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: mounts cannot be made here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(exists("shop/cart/app/20010909T014640.123Z-19hz.pb.gz", 0644));
	assert_false(exists("shop/cart/app/20010909T014641.123Z-19hz.pb.gz", 0644));
}

static void a_directory_that_is_removed_is_made_again(void **state)
{
	struct sink_file *sink = open_sink(0);
	struct profile_meta meta = meta_of("ns", "pod", 1795230900);
	struct sink_file_stats stats;

	(void)state;
	put(sink, &meta, 1);
	assert_int_equal(teardown(NULL), 0);
	put(sink, &meta, 1);
	assert_true(exists("ns/pod/app/20261121T031500.123Z-19hz.pb.gz", 0644));
	sink_file_stats(sink, &stats);
	assert_true(stats.bytes < 16384);
	sink_file_free(sink);
}

static void one_that_is_rotated_is_followed(void **state)
{
	cleanup(freep) char *old = xasprintf("%s.old", dir);
	cleanup(freep) char *file = xasprintf("%s/ns/pod/app/20261121T031501.123Z-19hz.pb.gz", old);
	struct sink_file *sink = open_sink(0);
	struct profile_meta meta = meta_of("ns", "pod", 1795230900);

	(void)state;
	put(sink, &meta, 1);
	assert_int_equal(rename(dir, old), 0);
	assert_int_equal(mkdir(dir, 0755), 0);
	meta.start_ns += NSEC_PER_SEC;
	put(sink, &meta, 1);
	assert_true(exists("ns/pod/app/20261121T031501.123Z-19hz.pb.gz", 0644));
	assert_int_equal(access(file, F_OK), -1);
	sink_file_free(sink);
	assert_int_equal(nftw(old, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void touch(const char *below)
{
	cleanup(freep) char *path = xasprintf("%s/%s", dir, below);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fputs("not the sink's\n", file) < 0, 0);
	fclose(file);
}

static void files_of_others_are_left_alone(void **state)
{
	const int64_t one = on_disk(1000);
	struct sink_file *sink = open_sink(2 * one);
	struct sink_file_stats stats;

	(void)state;
	for (int i = 0; i < 12; i++) {
		struct profile_meta meta = meta_of("ns", "pod", 1795230900 + i);

		put(sink, &meta, 1000);
		if (i)
			continue;
		touch("ns/pod/app/0001.pb.gz");
		touch("ns/pod/app/19700101T000000.000Z-19hz.pb.gz.bak");
		touch("ns/pod/app/19700101T000000.000Z-x-19hz.pb.gz");
		touch("19700101T000000.000Z-19hz.pb.gz");
		touch("ns/pod/app/.19700101T000000.000Z-19hz.pb.gz.tmp"); /* ours, of a crash */
	}
	sink_file_stats(sink, &stats);
	assert_true(stats.bytes <= 2 * one);
	assert_true(exists("ns/pod/app/0001.pb.gz", 0644));
	assert_true(exists("ns/pod/app/19700101T000000.000Z-19hz.pb.gz.bak", 0644));
	assert_true(exists("ns/pod/app/19700101T000000.000Z-x-19hz.pb.gz", 0644));
	assert_true(exists("19700101T000000.000Z-19hz.pb.gz", 0644));
	assert_true(exists("ns/pod/app/20261121T031511.123Z-19hz.pb.gz", 0644));
	assert_false(exists("ns/pod/app/20261121T031500.123Z-19hz.pb.gz", 0644));
	sink_file_free(sink);
}

/* On a new machine it is two levels below anything that is there. */
static void the_directories_above_it_are_made_too(void **state)
{
	cleanup(freep) char *below = xasprintf("%s/lib/rubato/profiles", dir);
	struct sink_file_options options = { .dir = below };
	struct sink_file *sink = NULL;

	(void)state;
	assert_int_equal(sink_file_new(&options, &sink, NULL), 0);
	assert_true(exists("lib/rubato/profiles", 0755));
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
		cmocka_unit_test_setup_teardown(what_counts_is_what_the_disk_counts, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_restarted_container_overwrites_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_directory_that_is_removed_is_made_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_that_is_rotated_is_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_is_mounted_over_is_followed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			what_has_all_of_its_name_in_common_overwrites_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(files_of_others_are_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(the_directories_above_it_are_made_too, setup,
						teardown),
		cmocka_unit_test(a_directory_that_cannot_be_made_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
