/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/controller/source_rig.h"

#include "controller/status/status_dir.h"
#include "lib/fs.h"
#include "lib/observe/metrics.h"

struct rig {
	char dir[64];
	struct metrics *metrics;
	struct status_dir *status;
	struct manifest manifest;
};

static void open_dir(struct rig *rig)
{
	struct err err = ERR_INIT;

	if (status_dir_new(rig->dir, rig->metrics, &rig->status, &err) < 0)
		fail_msg("%s", err.text);
}

static void reopen(struct rig *rig)
{
	status_dir_free(rig->status);
	open_dir(rig);
}

/* The manifest's only object, given its identity as if read now. */
static const struct object *see(struct rig *rig, const char *text)
{
	struct err err = ERR_INIT;

	manifest_release(&rig->manifest);
	if (manifest_parse(text, strlen(text), &rig->manifest, &err) < 0)
		fail_msg("%s", err.text);
	status_dir_identify(rig->status, &rig->manifest.doc[0], 1000);
	return rig->manifest.doc[0].object;
}

static double writes(const struct rig *rig)
{
	return metric_get(metrics_counter(rig->metrics, "rubato_controller_status_writes_total",
					  "Status files written.", METRIC_NO_LABELS));
}

static void put(struct rig *rig, const struct object *object, int value)
{
	json_t *status = json_pack("{s:i}", "observedGeneration", value);
	struct err err = ERR_INIT;

	if (status_dir_put(rig->status, object, status, &err) < 0)
		fail_msg("%s", err.text);
	json_decref(status);
}

static bool exists(const struct rig *rig, const char *name)
{
	cleanup(freep) char *path = xasprintf("%s/%s", rig->dir, name);

	return access(path, F_OK) == 0;
}

static int setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	log_setup(LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
	strcpy(rig->dir, "/tmp/rubato-status-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	rig->metrics = metrics_new();
	open_dir(rig);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	status_dir_free(rig->status);
	manifest_release(&rig->manifest);
	metrics_free(rig->metrics);
	remove_tree(rig->dir);
	free(rig);
	return 0;
}

static void the_generation_rises_with_the_spec_only(void **state)
{
	struct rig *rig = *state;
	cleanup(freep) char *commented = xasprintf("# why\n%s", policy("a", 10));

	assert_int_equal(see(rig, policy("a", 10))->generation, 1);
	assert_int_equal(see(rig, commented)->generation, 1);
	assert_int_equal(see(rig, policy("a", 20))->generation, 2);
	assert_int_equal(see(rig, policy("a", 10))->generation, 3);
}

static void identity_and_status_outlive_the_process(void **state)
{
	struct rig *rig = *state;
	const struct object *object;

	see(rig, policy("a", 10));
	put(rig, see(rig, policy("a", 20)), 2);
	reopen(rig);
	object = see(rig, policy("a", 20));
	assert_int_equal(object->generation, 2);
	assert_int_equal(object->created_s, 1000);
	assert_int_equal(json_integer_value(json_object_get(status_dir_get(rig->status, object),
							    "observedGeneration")),
			 2);
	assert_int_equal(see(rig, policy("a", 30))->generation, 3);
}

static void the_same_status_is_written_once(void **state)
{
	struct rig *rig = *state;

	put(rig, see(rig, policy("a", 10)), 1);
	put(rig, see(rig, policy("a", 10)), 1);
	assert_int_equal(writes(rig), 1);
	put(rig, see(rig, policy("a", 10)), 2);
	assert_int_equal(writes(rig), 2);
	reopen(rig);
	put(rig, see(rig, policy("a", 10)), 2);
	assert_int_equal(writes(rig), 2);
}

static void a_deleted_object_loses_its_file_and_begins_anew(void **state)
{
	struct rig *rig = *state;

	see(rig, policy("a", 10));
	put(rig, see(rig, policy("a", 20)), 1);
	assert_true(exists(rig, "profilingpolicy.payments.a.json"));
	status_dir_delete(rig->status, OBJECT_POLICY, "payments", "a");
	assert_false(exists(rig, "profilingpolicy.payments.a.json"));
	assert_int_equal(see(rig, policy("a", 10))->generation, 1);
}

static void a_sweep_deletes_what_no_manifest_named(void **state)
{
	struct rig *rig = *state;

	put(rig, see(rig, policy("a", 10)), 1);
	put(rig, see(rig, policy("b", 10)), 1);
	reopen(rig);
	see(rig, policy("b", 10));
	status_dir_sweep(rig->status);
	assert_false(exists(rig, "profilingpolicy.payments.a.json"));
	assert_true(exists(rig, "profilingpolicy.payments.b.json"));
}

static void a_broken_file_is_left_out_and_replaced(void **state)
{
	static const char *const broken[] = {
		"",	"{",
		"[]",	"{\"kind\": \"Pod\"}",
		"\xff", "{\"kind\": \"ProfilingPolicy\", \"metadata\": {\"name\": \"../x\"}}"
	};
	struct rig *rig = *state;
	cleanup(freep) char *path = xasprintf("%s/profilingpolicy.payments.a.json", rig->dir);

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		assert_int_equal(
			fs_write_file(path, broken[i], strlen(broken[i]), 0644, FS_NO_SYNC, NULL),
			0);
		reopen(rig);
		assert_int_equal(see(rig, policy("a", 10))->generation, 1);
		put(rig, rig->manifest.doc[0].object, 1);
	}
	reopen(rig);
	assert_non_null(status_dir_get(rig->status, see(rig, policy("a", 10))));
}

static void a_failed_write_keeps_what_was_stored_and_can_be_repeated(void **state)
{
	struct rig *rig = *state;
	const struct object *object = see(rig, policy("a", 10));
	cleanup(freep) char *aside = xasprintf("%s.aside", rig->dir);
	json_t *status = json_pack("{s:i}", "observedGeneration", 5);
	struct err err = ERR_INIT;

	put(rig, object, 1);
	assert_int_equal(rename(rig->dir, aside), 0);
	assert_true(status_dir_put(rig->status, object, status, &err) < 0);
	assert_non_null(strstr(err.text, rig->dir));
	assert_int_equal(json_integer_value(json_object_get(status_dir_get(rig->status, object),
							    "observedGeneration")),
			 1);
	assert_int_equal(rename(aside, rig->dir), 0);
	assert_int_equal(status_dir_put(rig->status, object, status, &err), 0);
	json_decref(status);
}

static void two_controllers_cannot_share_a_directory(void **state)
{
	struct rig *rig = *state;
	struct status_dir *second = NULL;
	struct err err = ERR_INIT;

	assert_true(status_dir_new(rig->dir, NULL, &second, &err) < 0);
	assert_non_null(strstr(err.text, "another controller"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_generation_rises_with_the_spec_only),
		T(identity_and_status_outlive_the_process),
		T(the_same_status_is_written_once),
		T(a_deleted_object_loses_its_file_and_begins_anew),
		T(a_sweep_deletes_what_no_manifest_named),
		T(a_broken_file_is_left_out_and_replaced),
		T(a_failed_write_keeps_what_was_stored_and_can_be_repeated),
		T(two_controllers_cannot_share_a_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
