/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kube/core/watch/watch_read.h"
#include "lib/core/text/json.h"

/* Reads a line with only the names kept. */
static struct watch_read read_of(const char *line)
{
	struct watch_read read = { 0 };

	assert_int_equal(watch_read_line(line, strlen(line), watch_keep_names, &read, NULL), 0);
	return read;
}

static void an_object_is_left_with_its_names(void **state)
{
	struct watch_read read =
		read_of("{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":"
			"\"p\",\"namespace\":\"n\","
			"\"resourceVersion\":\"7\",\"labels\":{}},\"spec\":{\"a\":1}}}");
	cleanup(freep) char *text = json_dumps(read.object, JSON_COMPACT);

	(void)state;
	assert_int_equal(read.event.type, WATCH_ADDED);
	assert_string_equal(read.event.resource_version, "7");
	assert_string_equal(text, "{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\","
				  "\"resourceVersion\":\"7\"}}");
	watch_read_release(&read);
}

static void the_end_of_the_beginning_is_seen(void **state)
{
	struct watch_read read = read_of(
		"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{"
		"\"resourceVersion\":\"9\","
		"\"annotations\":{\"k8s.io/initial-events-end\":\"true\",\"other\":\"x\"}}}}");

	(void)state;
	assert_int_equal(read.event.type, WATCH_BOOKMARK);
	assert_true(read.event.initial_end);
	assert_string_equal(read.event.resource_version, "9");
	watch_read_release(&read);
}

static void a_status_in_place_of_an_object_is_read(void **state)
{
	struct watch_read read = read_of("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\","
					 "\"reason\":\"Expired\",\"code\":410,"
					 "\"details\":{\"retryAfterSeconds\":3}}}");

	(void)state;
	assert_int_equal(read.event.type, WATCH_ERROR);
	assert_int_equal(read.event.status.code, 410);
	assert_true(read.event.status.expired);
	assert_int_equal(read.event.status.retry_after_ns, 3 * NSEC_PER_SEC);
	watch_read_release(&read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_is_left_with_its_names),
		cmocka_unit_test(the_end_of_the_beginning_is_seen),
		cmocka_unit_test(a_status_in_place_of_an_object_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
