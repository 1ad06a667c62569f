/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sink/sink_retain.h"

#define FILES 300

static void names_of_ours_are_told_from_others(void **state)
{
	static const char *const ours[] = {
		"20261121T031500.123Z-19hz.pb.gz",
		"20261121T031500.123Z-0123456789ab-100hz.pb.gz",
		".20261121T031500.123Z-0123456789ab-100hz.pb.gz.tmp",
	};
	static const char *const others[] = {
		"",
		".",
		"..",
		"a.pb.gz",
		"20261121T031500.123Z-hz.pb.gz",
		"20261121T031500.123Z-19hz.pb.gz.tmp",
		".20261121T031500.123Z-19hz.pb.gz",
		"20261121T031500.123Z-xyz-19hz.pb.gz",
		"20261121T031500.123Z--19hz.pb.gz",
		"2026x121T031500.123Z-19hz.pb.gz",
		"20261121T031500.123Z-19hz.pb.gz~",
		"20261121T0315",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		assert_true(sink_name_is_ours(ours[i]));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(sink_name_is_ours(others[i]));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void put(const char *dir, int i)
{
	cleanup(freep) char *path = xasprintf("%s/ns/pod/c%d/20261121T0315%02d.%03dZ-19hz.pb.gz",
					      dir, i % 3, i / 60, i % 60);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs("x", file) >= 0);
	fclose(file);
}

static void make_dirs(const char *dir)
{
	static const char *const below[] = { "ns", "ns/pod", "ns/pod/c0", "ns/pod/c1",
					     "ns/pod/c2" };

	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		cleanup(freep) char *path = xasprintf("%s/%s", dir, below[i]);

		assert_int_equal(mkdir(path, 0755), 0);
	}
}

/* No call does more than it is told to, and in the end the oldest are gone. */
static void a_round_goes_in_steps(void **state)
{
	char dir[] = "/tmp/rubato-retain-XXXXXX";
	struct sink_retain *retain;
	uint64_t deleted = 0;
	int64_t bytes, one;
	int fd, looks = 0, deletes = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	make_dirs(dir);
	for (int i = 0; i < FILES; i++)
		put(dir, i);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	retain = sink_retain_new(fd);
	usleep(20000); /* longer than a tick */
	put(dir, FILES);
	while (!sink_retain_look(retain, 10))
		looks++;
	assert_in_range(looks, FILES / 10, FILES / 10 + 3);
	bytes = sink_retain_bytes(retain);
	one = bytes / FILES;
	assert_int_equal(bytes, FILES * one);
	while (!sink_retain_delete(retain, 7, 100 * one, &bytes, &deleted))
		deletes++;
	assert_int_equal(deleted, FILES - 100);
	assert_int_equal(deletes, (FILES - 100) / 7);
	assert_int_equal(bytes, 100 * one);
	sink_retain_free(retain);
	retain = sink_retain_new(fd);
	sink_retain_look(retain, 1); /* given up half-way */
	sink_retain_free(retain);
	close(fd);
	assert_int_equal(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_ours_are_told_from_others),
		cmocka_unit_test(a_round_goes_in_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
