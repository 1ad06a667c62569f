/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kube/core/watch/object_scan.h"

/* What is found, joined by "|", whatever the length of the pieces. */
static void finds(bool is_event, const char *text, const char *expected)
{
	size_t len = strlen(text);

	for (size_t piece = 1; piece <= len; piece++) {
		char out[OBJECT_SCAN_NR * OBJECT_SCAN_BYTES] = "";
		struct object_scan scan;

		object_scan_begin(&scan, is_event);
		for (size_t at = 0; at < len; at += piece)
			object_scan_feed(&scan, text + at, MIN(piece, len - at));
		for (int i = 0; i < OBJECT_SCAN_NR; i++)
			snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s", i ? "|" : "",
				 scan.found[i]);
		assert_string_equal(out, expected);
	}
}

static void the_names_of_an_event_are_found(void **state)
{
	(void)state;
	finds(true,
	      "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
	      "\"metadata\":{"
	      "\"name\":\"p\",\"namespace\":\"n\",\"uid\":\"u-1\",\"resourceVersion\":\"7\","
	      "\"generation\":12,\"deletionTimestamp\":\"2026-01-31T12:00:00Z\"},\"spec\":{}}}",
	      "MODIFIED|n|p|u-1|7|12|2026-01-31T12:00:00Z");
	finds(true,
	      " { \"object\" : { \"spec\" : {}, \"metadata\" : { \"generation\" : 3 , \"name\" : "
	      "\"p\" } } , "
	      "\"type\" : \"ADDED\" }",
	      "ADDED||p|||3|");
}

static void the_names_of_an_item_are_found(void **state)
{
	(void)state;
	finds(false,
	      "{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\"},\"spec\":{\"name\":\"q\"}}",
	      "|n|p||||");
	finds(false, "{\"type\":\"x\",\"object\":{\"metadata\":{\"name\":\"q\"}}}", "||||||");
}

static void what_a_tenant_writes_is_not_taken_for_a_name(void **state)
{
	(void)state;
	finds(false,
	      "{\"metadata\":{\"annotations\":{\"name\":\"q\",\"a\":\"\\\"name\\\":\\\"q\\\"\","
	      "\"metadata\":\"{\"},\"labels\":{\"namespace\":\"m\",\"l\":[{\"uid\":\"v\"}]},"
	      "\"managedFields\":[{\"name\":\"q\"}],\"name\":\"p\"},"
	      "\"spec\":{\"metadata\":{\"name\":\"q\",\"namespace\":\"m\"}},\"name\":\"q\"}",
	      "||p||||");
	finds(false, "{\"spec\":{\"metadata\":{\"name\":\"q\"}},\"metadata\":{\"name\":\"p\"}}",
	      "||p||||");
}

static void what_surrounds_the_names_need_not_be_json(void **state)
{
	(void)state;
	finds(false,
	      "{\"a\":\"\\u0000\xff\",\"a\":1,,\"metadata\":{\"name\":\"p\",\"x\":tru,\"uid\":"
	      "\"u\"",
	      "||p|u|||");
}

static void a_value_that_is_no_name_is_not_taken(void **state)
{
	char text[4 * OBJECT_SCAN_BYTES] = "{\"metadata\":{\"name\":\"";

	(void)state;
	finds(false,
	      "{\"metadata\":{\"name\":\"p\\u0041\",\"namespace\":\"a b\",\"uid\":\"\xc3\xa4\"}}",
	      "||||||");
	finds(false,
	      "{\"metadata\":{\"name\":{\"name\":\"q\"},\"uid\":[\"x\"],\"namespace\":null}}",
	      "||||||");
	memset(text + strlen(text), 'x', OBJECT_SCAN_BYTES);
	strcat(text, "\"}}");
	finds(false, text, "||||||");
}

static void the_first_of_a_name_counts(void **state)
{
	(void)state;
	finds(false, "{\"metadata\":{\"name\":\"p\",\"name\":\"q\"},\"metadata\":{\"name\":\"r\"}}",
	      "||p||||");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_names_of_an_event_are_found),
		cmocka_unit_test(the_names_of_an_item_are_found),
		cmocka_unit_test(what_a_tenant_writes_is_not_taken_for_a_name),
		cmocka_unit_test(what_surrounds_the_names_need_not_be_json),
		cmocka_unit_test(a_value_that_is_no_name_is_not_taken),
		cmocka_unit_test(the_first_of_a_name_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
