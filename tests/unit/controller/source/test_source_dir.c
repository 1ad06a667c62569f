/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/controller/source_rig.h"

static int setup(void **state)
{
	struct source_rig *rig = xcalloc(1, sizeof(*rig));

	rig_init(rig);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	rig_release(*state);
	free(*state);
	return 0;
}

static void what_is_there_at_the_start_is_read(void **state)
{
	struct source_rig *rig = *state;

	rig_write(rig, "a.yaml", policy("a", 10));
	rig_write(
		rig, "b.json",
		"{\"apiVersion\": \"profiling.rubato.dev/v1alpha1\", \"kind\": \"ProfilingPolicy\","
		" \"metadata\": {\"name\": \"b\", \"namespace\": \"payments\"}, \"spec\": "
		"{\"sampleRateHz\": 20}}");
	rig_write(rig, ".hidden.yaml", policy("hidden", 30));
	rig_write(rig, "notes.txt", policy("notes", 40));
	rig_follow(rig);
	assert_int_equal(rate_of(rig, "a"), 10);
	assert_int_equal(rate_of(rig, "b"), 20);
	assert_int_equal(rate_of(rig, "hidden"), -1);
	assert_int_equal(rate_of(rig, "notes"), -1);
	assert_int_equal(rig->settled, 1);
}

static void a_new_file_an_edit_and_a_deletion_are_followed(void **state)
{
	struct source_rig *rig = *state;

	rig_follow(rig);
	rig_write(rig, "a.yaml", policy("a", 10));
	assert_true(becomes(rig, "a", 10));
	rig_write(rig, "a.yaml", policy("a", 20));
	assert_true(becomes(rig, "a", 20));
	rig_unlink(rig, "a.yaml");
	assert_true(becomes(rig, "a", -1));
}

static void several_documents_and_lists_are_taken_apart(void **state)
{
	struct source_rig *rig = *state;
	cleanup(freep) char *two =
		xasprintf("%s---\n# nothing\n---\n%s", policy("a", 1), policy("b", 2));

	rig_write(rig, "two.yaml", two);
	rig_write(rig, "list.yaml",
		  "apiVersion: v1\nkind: List\nitems:\n"
		  "- apiVersion: profiling.rubato.dev/v1alpha1\n  kind: ProfilingPolicy\n"
		  "  metadata: {name: c, namespace: payments}\n  spec: {sampleRateHz: 3}\n"
		  "- apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: skipped}\n");
	rig_follow(rig);
	assert_int_equal(rate_of(rig, "a"), 1);
	assert_int_equal(rate_of(rig, "b"), 2);
	assert_int_equal(rate_of(rig, "c"), 3);
	assert_int_equal(refused_nr(rig), 0);
}

static void a_file_is_not_read_before_its_writer_closes_it(void **state)
{
	struct source_rig *rig = *state;
	cleanup(freep) char *path = rig_path(rig, "a.yaml");
	FILE *file;

	rig_follow(rig);
	file = fopen(path, "w");
	/* A valid document on its own, of another meaning. */
	fputs(policy("a", 1), file);
	fflush(file);
	run_for(rig, 50);
	assert_int_equal(rate_of(rig, "a"), -1);
	fseek(file, -1, SEEK_CUR);
	fputs("00\n", file);
	fclose(file);
	assert_true(becomes(rig, "a", 100));
}

static void an_editor_that_renames_the_old_file_away_deletes_nothing(void **state)
{
	struct source_rig *rig = *state;

	rig_write(rig, "a.yaml", policy("a", 10));
	rig_follow(rig);
	rig_rename(rig, "a.yaml", "a.yaml~");
	run_for(rig, 10);
	rig_write(rig, "a.yaml", policy("a", 20));
	assert_true(becomes(rig, "a", 20));
	run_for(rig, 150);
	assert_int_equal(rate_of(rig, "a"), 20);
	assert_int_equal(rig->removed, 0);
}

/* Create a.yaml, or empty it, and close it with this text only so much later. */
static void write_slowly(struct source_rig *rig, const char *text, uint64_t ms)
{
	cleanup(freep) char *path = rig_path(rig, "a.yaml");
	FILE *file = fopen(path, "w");

	run_for(rig, ms);
	fputs(text, file);
	fclose(file);
}

static void a_file_that_is_replaced_slowly_deletes_nothing(void **state)
{
	struct source_rig *rig = *state;

	rig_write(rig, "a.yaml", policy("a", 10));
	rig_follow(rig);
	rig_unlink(rig, "a.yaml");
	run_for(rig, 60);
	write_slowly(rig, policy("a", 10), 80);
	run_for(rig, 250);
	assert_int_equal(rate_of(rig, "a"), 10);
	assert_int_equal(rig->removed, 0);
	rig_unlink(rig, "a.yaml");
	assert_true(becomes(rig, "a", -1));
}

static void a_file_that_is_emptied_and_written_deletes_nothing(void **state)
{
	struct source_rig *rig = *state;
	int settled;

	rig_write(rig, "a.yaml", policy("a", 10));
	rig_follow(rig);
	rig_write(rig, "a.yaml", policy("a", 10));
	/* What was closed is read while the next writer has emptied it. */
	write_slowly(rig, policy("a", 10), 30);
	run_for(rig, 150);
	assert_int_equal(rate_of(rig, "a"), 10);
	assert_int_equal(rig->removed, 0);
	rig_write(rig, "a.yaml", "");
	run_for(rig, 30);
	settled = rig->settled;
	assert_true(becomes(rig, "a", -1));
	assert_int_equal(rig->settled, settled + 1);
}

static void an_editor_that_renames_a_new_file_into_place_is_followed(void **state)
{
	struct source_rig *rig = *state;

	rig_write(rig, "a.yaml", policy("a", 10));
	rig_follow(rig);
	rig_write(rig, ".a.yaml.swp", policy("a", 20));
	rig_rename(rig, ".a.yaml.swp", "a.yaml");
	assert_true(becomes(rig, "a", 20));
	assert_int_equal(rig->removed, 0);
}

static void a_file_may_be_renamed_and_its_objects_stay(void **state)
{
	struct source_rig *rig = *state;

	rig_write(rig, "a.yaml", policy("a", 10));
	rig_follow(rig);
	rig_rename(rig, "a.yaml", "z.yaml");
	run_for(rig, 150);
	rig_rename(rig, "z.yaml", "b.yaml");
	run_for(rig, 150);
	assert_int_equal(rate_of(rig, "a"), 10);
	assert_int_equal(rig->removed, 0);
	assert_int_equal(refused_nr(rig), 0);
}

static void an_object_may_move_to_another_file(void **state)
{
	struct source_rig *rig = *state;
	cleanup(freep) char *both = xasprintf("%s---\n%s", policy("a", 1), policy("b", 2));

	rig_write(rig, "one.yaml", both);
	rig_follow(rig);
	rig_write(rig, "one.yaml", policy("a", 1));
	rig_write(rig, "two.yaml", policy("b", 22));
	assert_true(becomes(rig, "b", 22));
	assert_int_equal(rig->removed, 0);
}

static void a_bad_file_keeps_its_last_good_state_and_others_go_on(void **state)
{
	struct source_rig *rig = *state;

	rig_write(rig, "a.yaml", policy("a", 10));
	rig_write(rig, "b.yaml", policy("b", 10));
	rig_follow(rig);
	rig_write(rig, "a.yaml", policy("a", 5000));
	rig_write(rig, "b.yaml", policy("b", 20));
	assert_true(becomes(rig, "b", 20));
	assert_int_equal(rate_of(rig, "a"), 10);
	assert_string_equal(refusal(rig), "a.yaml: line 5: ProfilingPolicy payments/a: "
					  "spec.sampleRateHz: 5000 is not in 0..200");
	rig_write(rig, "a.yaml", policy("a", 30));
	assert_true(becomes(rig, "a", 30));
	assert_int_equal(refused_nr(rig), 0);
}

static void of_two_files_with_one_object_the_first_by_name_defines_it(void **state)
{
	struct source_rig *rig = *state;
	cleanup(freep) char *both = xasprintf("%s---\n%s", policy("a", 20), policy("b", 2));

	rig_follow(rig);
	rig_write(rig, "b.yaml", both);
	assert_true(becomes(rig, "a", 20));
	rig_write(rig, "a.yaml", policy("a", 10));
	assert_true(becomes(rig, "a", 10));
	run_for(rig, 10);
	assert_string_equal(refusal(rig),
			    "b.yaml: ProfilingPolicy payments/a is already defined in a.yaml, "
			    "which comes first");
	assert_int_equal(rate_of(rig, "b"), 2);
	rig_unlink(rig, "a.yaml");
	assert_true(becomes(rig, "a", 20));
	run_for(rig, 150);
	assert_string_equal(refusal(rig), "");
	assert_int_equal(rig->removed, 0);
}

static void a_swap_of_the_data_link_is_one_change(void **state)
{
	struct source_rig *rig = *state;
	cleanup(freep) char *one = rig_path(rig, "..one"), *two = rig_path(rig, "..two");
	cleanup(freep) char *data = rig_path(rig, "..data"), *tmp = rig_path(rig, "..data_tmp");
	cleanup(freep) char *link = rig_path(rig, "a.yaml");

	assert_int_equal(mkdir(one, 0755), 0);
	assert_int_equal(mkdir(two, 0755), 0);
	rig_write(rig, "..one/a.yaml", policy("a", 10));
	rig_write(rig, "..two/a.yaml", policy("a", 20));
	assert_int_equal(symlink("..one", data), 0);
	assert_int_equal(symlink("..data/a.yaml", link), 0);
	rig_follow(rig);
	assert_int_equal(rate_of(rig, "a"), 10);
	assert_int_equal(symlink("..two", tmp), 0);
	assert_int_equal(rename(tmp, data), 0);
	assert_true(becomes(rig, "a", 20));
	assert_int_equal(rig->removed, 0);
}

static void links_are_read_although_nobody_closes_them(void **state)
{
	struct source_rig *rig = *state;
	cleanup(freep) char *target = rig_path(rig, ".target"), *soft = rig_path(rig, "soft.yaml");
	cleanup(freep) char *other = rig_path(rig, ".other"), *hard = rig_path(rig, "hard.yaml");

	rig_write(rig, ".target", policy("soft", 10));
	rig_write(rig, ".other", policy("hard", 20));
	rig_follow(rig);
	assert_int_equal(symlink(target, soft), 0);
	assert_int_equal(link(other, hard), 0);
	assert_true(becomes(rig, "soft", 10));
	assert_true(becomes(rig, "hard", 20));
}

static void while_the_directory_is_missing_the_last_state_stays(void **state)
{
	struct source_rig *rig = *state;
	struct err why = ERR_INIT;

	rig_write(rig, "a.yaml", policy("a", 10));
	rig_write(rig, "b.yaml", policy("b", 20));
	rig_follow(rig);
	remove_tree(rig->dir);
	run_for(rig, 300);
	assert_int_equal(rate_of(rig, "a"), 10);
	assert_false(source_dir_ok(rig->source, &why));
	assert_int_equal(mkdir(rig->dir, 0755), 0);
	rig_write(rig, "a.yaml", policy("a", 30));
	assert_true(becomes(rig, "a", 30));
	assert_true(becomes(rig, "b", -1));
	assert_true(source_dir_ok(rig->source, &why));
	rig_write(rig, "c.yaml", policy("c", 40));
	assert_true(becomes(rig, "c", 40));
}

static void a_directory_replaced_by_rename_is_read_anew(void **state)
{
	struct source_rig *rig = *state;
	cleanup(freep) char *other = xasprintf("%s.new", rig->dir),
			    *old = xasprintf("%s.old", rig->dir);
	cleanup(freep) char *up = xasprintf("../%s.new/a.yaml", strrchr(rig->dir, '/') + 1);

	rig_write(rig, "a.yaml", policy("a", 10));
	rig_follow(rig);
	assert_int_equal(mkdir(other, 0755), 0);
	rig_write(rig, up, policy("a", 20));
	assert_int_equal(rename(rig->dir, old), 0);
	assert_int_equal(rename(other, rig->dir), 0);
	assert_true(becomes(rig, "a", 20));
	assert_int_equal(rig->removed, 0);
	remove_tree(old);
}

static void a_fifo_is_refused_and_blocks_nobody(void **state)
{
	struct source_rig *rig = *state;
	cleanup(freep) char *fifo = rig_path(rig, "fifo.yaml");

	assert_int_equal(mkfifo(fifo, 0644), 0);
	rig_write(rig, "z.yaml", policy("z", 10));
	rig_follow(rig);
	assert_int_equal(rate_of(rig, "z"), 10);
	assert_non_null(strstr(refusal(rig), "not a regular file"));
}

static void an_emptied_file_deletes_its_objects(void **state)
{
	struct source_rig *rig = *state;

	rig_write(rig, "a.yaml", policy("a", 10));
	rig_follow(rig);
	rig_write(rig, "a.yaml", "# nothing any more\n");
	assert_true(becomes(rig, "a", -1));
	assert_int_equal(refused_nr(rig), 0);
}

static void a_thousand_files_at_once_are_all_read(void **state)
{
	struct source_rig *rig = *state;
	char name[32], file[40];

	rig_follow(rig);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		snprintf(file, sizeof(file), "%s.yaml", name);
		rig_write(rig, file, policy(name, i % 200));
	}
	assert_true(becomes(rig, "p999", 199));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		assert_true(becomes(rig, name, i % 200));
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_there_at_the_start_is_read),
		T(a_new_file_an_edit_and_a_deletion_are_followed),
		T(several_documents_and_lists_are_taken_apart),
		T(a_file_is_not_read_before_its_writer_closes_it),
		T(an_editor_that_renames_the_old_file_away_deletes_nothing),
		T(an_editor_that_renames_a_new_file_into_place_is_followed),
		T(a_file_that_is_replaced_slowly_deletes_nothing),
		T(a_file_that_is_emptied_and_written_deletes_nothing),
		T(a_file_may_be_renamed_and_its_objects_stay),
		T(an_object_may_move_to_another_file),
		T(a_bad_file_keeps_its_last_good_state_and_others_go_on),
		T(of_two_files_with_one_object_the_first_by_name_defines_it),
		T(a_swap_of_the_data_link_is_one_change),
		T(links_are_read_although_nobody_closes_them),
		T(while_the_directory_is_missing_the_last_state_stays),
		T(a_directory_replaced_by_rename_is_read_anew),
		T(a_fifo_is_refused_and_blocks_nobody),
		T(an_emptied_file_deletes_its_objects),
		T(a_thousand_files_at_once_are_all_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
