/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/observe/metrics.h"

static void check(struct metrics *m, const char *expected)
{
	size_t len;
	cleanup(freep) char *text = metrics_render(m, &len);

	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(text));
}

static void a_series_is_one_however_often_it_is_asked_for(void **state)
{
	struct metrics *m = metrics_new();

	(void)state;
	metric_add(metrics_counter(m, "a_total", "Help\nme.", METRIC_LABELS("k", "v")), 1);
	metric_add(metrics_counter(m, "a_total", "Help\nme.", METRIC_LABELS("k", "v")), 2);
	metric_add(metrics_counter(m, "a_total", "Help\nme.", METRIC_LABELS("k", "\"\\\n\xff")), 4);
	metric_set(metrics_gauge(m, "b_bytes", "B.", METRIC_NO_LABELS), 0.1);
	check(m, "# HELP a_total Help\\nme.\n# TYPE a_total counter\na_total{k=\"v\"} 3\n"
		 "a_total{k=\"\\\"\\\\\\n?\"} 4\n"
		 "# HELP b_bytes B.\n# TYPE b_bytes gauge\nb_bytes 0.1\n");
	metrics_drop(m, "a_total", METRIC_LABELS("k", "v"));
	metrics_drop(m, "b_bytes", METRIC_NO_LABELS);
	check(m,
	      "# HELP a_total Help\\nme.\n# TYPE a_total counter\na_total{k=\"\\\"\\\\\\n?\"} 4\n");
	metrics_free(m);
}

static void a_histogram_is_cumulative(void **state)
{
	static const double bound[] = { 0.5, 1 };
	struct metrics *m = metrics_new();
	struct metric *h =
		metrics_histogram(m, "h_seconds", "H.", METRIC_LABELS("a", "b"), bound, 2);

	(void)state;
	metric_observe(h, 0.5);
	metric_observe(h, 0.75);
	metric_observe(h, 9);
	check(m, "# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
		 "h_seconds_bucket{a=\"b\",le=\"0.5\"} 1\nh_seconds_bucket{a=\"b\",le=\"1\"} 2\n"
		 "h_seconds_bucket{a=\"b\",le=\"+Inf\"} 3\nh_seconds_sum{a=\"b\"} 10.25\n"
		 "h_seconds_count{a=\"b\"} 3\n");
	metrics_free(m);
}

static void label_values_are_bounded(void **state)
{
	struct metrics *m = metrics_new();
	size_t lines = 0;
	cleanup(freep) char *text = NULL;

	(void)state;
	for (int i = 0; i < 10 * METRIC_SERIES_MAX; i++) {
		char value[16];

		snprintf(value, sizeof(value), "%d", i);
		metric_add(metrics_counter(m, "a_total", "A.", METRIC_LABELS("k", value)), 1);
	}
	text = metrics_render(m, NULL);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, METRIC_SERIES_MAX + 2);
	assert_non_null(strstr(text, "a_total{k=\"other\"} 2305\n"));
	metrics_free(m);
}

static void set_on_scrape(void *ctx)
{
	metric_add(ctx, 1);
}

static void what_is_read_at_scrape_time_is_asked_for_then(void **state)
{
	struct metrics *m = metrics_new();

	(void)state;
	metrics_on_scrape(m, set_on_scrape, metrics_gauge(m, "a", "A.", METRIC_NO_LABELS));
	check(m, "# HELP a A.\n# TYPE a gauge\na 1\n");
	check(m, "# HELP a A.\n# TYPE a gauge\na 2\n");
	metrics_free(m);
}

static void without_a_registry_everything_is_a_no_op(void **state)
{
	static const double bound[] = { 1 };

	(void)state;
	metric_add(metrics_counter(NULL, "a_total", "A.", METRIC_NO_LABELS), 1);
	metric_observe(metrics_histogram(NULL, "h", "H.", METRIC_NO_LABELS, bound, 1), 1);
	metrics_drop(NULL, "a_total", METRIC_NO_LABELS);
}

static void the_process_tells_of_itself(void **state)
{
	struct metrics *m = metrics_new();
	cleanup(freep) char *text = NULL;

	(void)state;
	metrics_add_process(m, "rubato_agent", "1.2.3");
	text = metrics_render(m, NULL);
	assert_non_null(strstr(text, "rubato_agent_build_info{version=\"1.2.3\"} 1\n"));
	assert_non_null(strstr(text, "\nprocess_cpu_seconds_total "));
	assert_non_null(strstr(text, "\nprocess_resident_memory_bytes "));
	assert_non_null(strstr(text, "\nprocess_start_time_seconds 1"));
	assert_null(strstr(text, "process_open_fds 0\n"));
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_series_is_one_however_often_it_is_asked_for),
		cmocka_unit_test(a_histogram_is_cumulative),
		cmocka_unit_test(label_values_are_bounded),
		cmocka_unit_test(what_is_read_at_scrape_time_is_asked_for_then),
		cmocka_unit_test(without_a_registry_everything_is_a_no_op),
		cmocka_unit_test(the_process_tells_of_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
