/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/controller/source_rig.h"

#include "controller/reconcile/reconcile.h"
#include "controller/core/status/status.h"
#include "controller/status/status_dir.h"
#include "lib/core/limits.h"
#include "lib/core/text/json.h"
#include "lib/fs.h"
#include "lib/observe/metrics.h"

/* A controller without agents: manifests in, status files out. */
struct rig {
	struct source_rig files; /* its directory and loop; its source is not used */
	char status[64];
	struct metrics *metrics;
	struct status_dir *status_dir;
	struct reconcile *reconcile;
	struct source_dir *source;
};

static void start(struct rig *rig)
{
	struct source_dir_options options = { .path = rig->files.dir };
	struct status_store statuses;
	struct source_sink sink;
	struct err err = ERR_INIT;

	rig->metrics = options.metrics = metrics_new();
	if (status_dir_new(rig->status, rig->metrics, &rig->status_dir, &err) < 0)
		fail_msg("%s", err.text);
	statuses = status_dir_store(rig->status_dir);
	rig->reconcile = reconcile_new(&rig->files.loop, NULL, &statuses, rig->metrics);
	sink = reconcile_sink(rig->reconcile);
	if (source_dir_new(&rig->files.loop, &options, &sink, &rig->source, &err) < 0)
		fail_msg("%s", err.text);
}

static void stop(struct rig *rig)
{
	source_dir_close(rig->source);
	reconcile_close(rig->reconcile);
	run_for(&rig->files, 5);
	status_dir_free(rig->status_dir);
	metrics_free(rig->metrics);
}

static json_t *status_of(const struct rig *rig, const char *name)
{
	cleanup(freep) char *path =
		xasprintf("%s/profilingpolicy.payments.%s.json", rig->status, name);
	cleanup(freep) char *text = NULL;
	json_t *json = NULL, *status;
	size_t len = 0;

	if (fs_read_file(path, LIMIT_STATUS_BYTES, &text, &len, NULL) < 0)
		return json_null();
	assert_int_equal(json_parse_bounded(text, len, LIMIT_JSON_DEPTH, &json, NULL), 0);
	status = json_incref(json_object_get(json, "status"));
	json_decref(json);
	return status;
}

static bool is_true(const struct rig *rig, const char *name, const char *condition)
{
	json_t *status = status_of(rig, name);
	bool yes = status_condition(status, condition);

	json_decref(status);
	return yes;
}

static int64_t end_ms(const struct rig *rig, const char *name)
{
	json_t *status = status_of(rig, name);
	int64_t end =
		json_integer_value(json_object_get(json_object_get(status, "clock"), "endMs"));

	json_decref(status);
	return end;
}

static double metric(const struct rig *rig, const char *name)
{
	cleanup(freep) char *text = metrics_render(rig->metrics, NULL);
	cleanup(freep) char *line = xasprintf("\n%s ", name);
	const char *found = strstr(text, line);

	return found ? strtod(found + strlen(line), NULL) : -1;
}

static const char *boost(int hz)
{
	static char text[512];

	snprintf(text, sizeof(text), "%s  duration: 10m\n", policy("boost", hz));
	return text;
}

static int setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	rig_init(&rig->files);
	snprintf(rig->status, sizeof(rig->status), "%s/.status", rig->files.dir);
	start(rig);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	stop(rig);
	rig_release(&rig->files);
	free(rig);
	return 0;
}

static void a_policy_has_a_status_within_milliseconds(void **state)
{
	struct rig *rig = *state;

	rig_write(&rig->files, "a.yaml", policy("a", 10));
	run_for(&rig->files, 100);
	assert_true(is_true(rig, "a", "Accepted"));
	assert_false(is_true(rig, "a", "Programmed"));
	assert_int_equal(metric(rig, "rubato_controller_policies{kind=\"ProfilingPolicy\"}"), 1);
}

static void a_boost_keeps_its_end_over_a_restart_and_an_edit_begins_it_anew(void **state)
{
	struct rig *rig = *state;
	int64_t end;

	rig_write(&rig->files, "a.yaml", boost(100));
	run_for(&rig->files, 100);
	end = end_ms(rig, "boost");
	assert_true(end > 0);
	stop(rig);
	start(rig);
	run_for(&rig->files, 50);
	assert_int_equal(end_ms(rig, "boost"), end);
	assert_int_equal(metric(rig, "rubato_controller_boosts_active"), 1);
	rig_write(&rig->files, "a.yaml", boost(90));
	run_for(&rig->files, 100);
	assert_true(end_ms(rig, "boost") > end);
	assert_int_equal(metric(rig, "rubato_controller_boosts_total{outcome=\"edited\"}"), 1);
	rig_unlink(&rig->files, "a.yaml");
	run_for(&rig->files, 200);
	assert_int_equal(end_ms(rig, "boost"), 0);
	assert_int_equal(metric(rig, "rubato_controller_boosts_total{outcome=\"deleted\"}"), 1);
	assert_int_equal(metric(rig, "rubato_controller_boosts_active"), 0);
}

static void a_boost_does_not_start_before_its_clock_is_stored(void **state)
{
	struct rig *rig = *state;
	cleanup(freep) char *aside = xasprintf("%s.aside", rig->status);
	struct err why = ERR_INIT;

	assert_int_equal(rename(rig->status, aside), 0);
	rig_write(&rig->files, "a.yaml", boost(100));
	run_for(&rig->files, 100);
	assert_int_equal(metric(rig, "rubato_controller_boosts_active"), 0);
	assert_false(reconcile_ok(rig->reconcile, &why));
	assert_non_null(strstr(why.text, "profilingpolicy.payments.boost.json"));
	assert_int_equal(rename(aside, rig->status), 0);
	run_for(&rig->files, 1500);
	assert_int_equal(metric(rig, "rubato_controller_boosts_active"), 1);
	assert_true(reconcile_ok(rig->reconcile, &why));
	assert_true(end_ms(rig, "boost") > 0);
}

static void idle_means_no_writes_and_no_reads(void **state)
{
	struct rig *rig = *state;
	double writes, reads;

	rig_write(&rig->files, "a.yaml", boost(100));
	rig_write(&rig->files, "b.yaml", policy("b", 10));
	run_for(&rig->files, 200);
	writes = metric(rig, "rubato_controller_status_writes_total");
	reads = metric(rig, "rubato_controller_manifest_reads_total");
	run_for(&rig->files, 1200);
	assert_int_equal(metric(rig, "rubato_controller_status_writes_total"), writes);
	assert_int_equal(metric(rig, "rubato_controller_manifest_reads_total"), reads);
}

static void a_comment_in_a_manifest_begins_no_boost_anew(void **state)
{
	struct rig *rig = *state;
	cleanup(freep) char *commented = NULL;
	int64_t end;

	rig_write(&rig->files, "a.yaml", boost(100));
	run_for(&rig->files, 100);
	end = end_ms(rig, "boost");
	commented = xasprintf("# seen by me\n%s", boost(100));
	rig_write(&rig->files, "a.yaml", commented);
	run_for(&rig->files, 100);
	assert_int_equal(end_ms(rig, "boost"), end);
}

/* Boosts payments/b0 to bNR-1, all of one age; the first `without` of them are missing. */
static void write_boosts(const struct rig *rig, int without, int nr)
{
	cleanup(freep) char *text = xstrdup("");

	for (int i = without; i < nr; i++) {
		cleanup(freep) char *name = xasprintf("b%02d", i);
		char *more = xasprintf("%s---\n%s  duration: 10m\n", text, policy(name, 50));

		free(text);
		text = more;
	}
	rig_write(&rig->files, "many.yaml", text);
}

static void a_boost_beyond_the_share_of_its_namespace_begins_when_there_is_room(void **state)
{
	struct rig *rig = *state;

	write_boosts(rig, 0, LIMIT_NS_BOOSTS + 1);
	run_for(&rig->files, 200);
	assert_true(is_true(rig, "b00", "Accepted"));
	assert_true(end_ms(rig, "b31") > 0);
	assert_false(is_true(rig, "b32", "Accepted"));
	assert_int_equal(end_ms(rig, "b32"), 0);
	assert_int_equal(metric(rig, "rubato_controller_boosts_active"), LIMIT_NS_BOOSTS);
	write_boosts(rig, 1, LIMIT_NS_BOOSTS + 1);
	run_for(&rig->files, 200);
	assert_true(is_true(rig, "b32", "Accepted"));
	assert_true(end_ms(rig, "b32") > 0);
	assert_int_equal(metric(rig, "rubato_controller_boosts_active"), LIMIT_NS_BOOSTS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_policy_has_a_status_within_milliseconds),
		T(a_boost_keeps_its_end_over_a_restart_and_an_edit_begins_it_anew),
		T(a_boost_does_not_start_before_its_clock_is_stored),
		T(idle_means_no_writes_and_no_reads),
		T(a_comment_in_a_manifest_begins_no_boost_anew),
		T(a_boost_beyond_the_share_of_its_namespace_begins_when_there_is_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
