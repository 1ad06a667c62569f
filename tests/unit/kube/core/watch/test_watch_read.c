/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "kube/core/watch/watch_read.h"
#include "lib/core/text/json.h"

static const struct watch_kind thing = {
	.name = "Thing",
	.api_version = "example.com/v1",
	.keep = watch_keep_names,
};
static const struct watch_kind whole = { .name = "Thing", .api_version = "example.com/v1" };

/* Reads a line with only the names kept. */
static struct watch_read read_of(const char *line)
{
	struct watch_read read = { 0 };

	assert_int_equal(watch_read_line(line, strlen(line), &thing, &read, NULL), 0);
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

/* --- what cannot be read --- */

#define NAMES                                                                                      \
	"\"metadata\":{\"name\":\"p\",\"namespace\":\"n\",\"uid\":\"u\",\"resourceVersion\":"      \
	"\"7\"}"

/* `text` is a line or an item: of its object only the names are there, and `why` is said. */
static void is_aside(bool is_line, const char *text, const char *why)
{
	struct watch_read read = { 0 };
	struct err err = ERR_INIT;
	const json_t *metadata;
	int r;

	if (is_line)
		r = watch_read_line(text, strlen(text), &whole, &read, &err);
	else
		r = watch_read_item(text, strlen(text), &whole, &read, &err);
	assert_int_equal(r, 0);
	assert_string_equal(read.aside, why);
	metadata = json_object_get(read.object, "metadata");
	assert_string_equal(json_string_value(json_object_get(metadata, "name")), "p");
	assert_string_equal(json_string_value(json_object_get(metadata, "namespace")), "n");
	assert_string_equal(json_string_value(json_object_get(read.object, "kind")), "Thing");
	assert_null(json_object_get(read.object, "spec"));
	if (is_line)
		assert_string_equal(read.event.resource_version, "7");
	watch_read_release(&read);
}

static void an_object_that_cannot_be_read_is_set_aside_alone(void **state)
{
	(void)state;
	is_aside(true,
		 "{\"type\":\"ADDED\",\"object\":{" NAMES ",\"spec\":{\"reason\":\"a\\u0000b\"}}}",
		 "spec.reason: has the character \\u0000 in it");
	is_aside(false, "{" NAMES ",\"spec\":{\"list\":[{\"x\":\"\\u0000\"}]}}",
		 "spec.list[].x: has the character \\u0000 in it");
	is_aside(true, "{\"type\":\"MODIFIED\",\"object\":{" NAMES ",\"spec\":{\"a\":1,\"a\":2}}}",
		 "spec.a: stands there twice");
	is_aside(false, "{" NAMES ",\"spec\":\"\xff\"}", "spec: is not a string of UTF-8");
	is_aside(false, "{" NAMES ",\"spec\":tru}", "not valid JSON at byte 83");
}

static void what_is_nested_too_deep_is_set_aside(void **state)
{
	char text[512];

	(void)state;
	strcpy(text, "{\"type\":\"ADDED\",\"object\":{" NAMES ",\"spec\":");
	memset(text + strlen(text), '[', 100);
	is_aside(true, text, "JSON is nested deeper than 64 levels");
}

static void a_deletion_is_one_even_so(void **state)
{
	static const char line[] =
		"{\"type\":\"DELETED\",\"object\":{" NAMES ",\"spec\":\"\\u0000\"}}";
	struct watch_read read = { 0 };

	(void)state;
	assert_int_equal(watch_read_line(line, strlen(line), &whole, &read, NULL), 0);
	assert_int_equal(read.event.type, WATCH_DELETED);
	assert_string_equal(read.event.resource_version, "7");
	assert_non_null(read.object);
	watch_read_release(&read);
}

static void what_does_not_say_whose_it_is_is_refused(void **state)
{
	static const char *const line[] = {
		"<html>",
		"{\"type\":\"ADDED\",\"object\":{\"spec\":\"\\u0000\"}}",
		"{\"type\":\"BOOKMARK\",\"object\":{" NAMES ",\"spec\":\"\\u0000\"}}",
		"{\"type\":\"ERROR\",\"object\":{" NAMES ",\"message\":\"\\u0000\"}}",
		"{\"object\":{" NAMES ",\"spec\":\"\\u0000\"}}",
	};
	struct watch_read read = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(line); i++)
		assert_int_equal(watch_read_line(line[i], strlen(line[i]), &whole, &read, NULL),
				 -EINVAL);
	assert_null(read.root);
}

static void what_passed_by_is_set_aside_with_its_size(void **state)
{
	static const char line[] = "{\"type\":\"MODIFIED\",\"object\":{" NAMES "}}";
	struct watch_read read = { 0 };
	struct object_scan scan;

	(void)state;
	object_scan_begin(&scan, true);
	object_scan_feed(&scan, line, strlen(line));
	assert_int_equal(watch_read_passed(&scan, 9, &whole, &read, NULL), 0);
	assert_int_equal(read.event.type, WATCH_PUT);
	assert_string_equal(read.event.resource_version, "7");
	assert_string_equal(read.aside, "it is larger than 9 bytes as JSON");
	watch_read_release(&read);
	object_scan_begin(&scan, false);
	assert_int_equal(watch_read_passed(&scan, 9, &whole, &read, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_is_left_with_its_names),
		cmocka_unit_test(the_end_of_the_beginning_is_seen),
		cmocka_unit_test(a_status_in_place_of_an_object_is_read),
		cmocka_unit_test(an_object_that_cannot_be_read_is_set_aside_alone),
		cmocka_unit_test(what_is_nested_too_deep_is_set_aside),
		cmocka_unit_test(a_deletion_is_one_even_so),
		cmocka_unit_test(what_does_not_say_whose_it_is_is_refused),
		cmocka_unit_test(what_passed_by_is_set_aside_with_its_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
