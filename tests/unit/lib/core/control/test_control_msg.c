/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/control/control_msg.h"

#define BEFORE "{\"epoch\":{\"t\":1,\"n\":1},\"gen\":2,\"max_rate_hz\":200,\"result\":\"ok\""

static void what_is_missing_is_read_as_it_was_written(void **state)
{
	struct control_applied applied = { .epoch = { 1, 1 }, .gen = 2 }, read;
	struct err err = ERR_INIT;
	char *body;

	(void)state;
	applied.missing.cgroups = 7;
	snprintf(applied.missing.ns[0], sizeof(applied.missing.ns[0]), "shop");
	snprintf(applied.missing.ns[1], sizeof(applied.missing.ns[1]), "pay");
	applied.missing.ns_nr = 2;
	body = control_applied_pack(&applied);
	assert_int_equal(control_applied_unpack(body, strlen(body), &read, &err), 0);
	assert_true(control_missing_equal(&read.missing, &applied.missing));
	assert_true(control_missing_has(&read.missing, "pay"));
	assert_false(control_missing_has(&read.missing, "other"));
	free(body);
	applied.missing.more = true;
	body = control_applied_pack(&applied);
	assert_int_equal(control_applied_unpack(body, strlen(body), &read, &err), 0);
	assert_true(control_missing_has(&read.missing, "other"));
	assert_true(control_missing_equal(&read.missing, &applied.missing));
	read.missing.ns[1][0] = 'x';
	assert_false(control_missing_equal(&read.missing, &applied.missing));
	free(body);
	applied.missing = (struct control_missing){ 0 };
	body = control_applied_pack(&applied);
	assert_null(strstr(body, "missing"));
	assert_int_equal(control_applied_unpack(body, strlen(body), &read, &err), 0);
	assert_false(control_missing_has(&read.missing, "pay"));
	assert_false(control_missing_has(NULL, "pay"));
	free(body);
}

static void more_namespaces_than_are_kept_may_be_any(void **state)
{
	struct control_applied read;
	struct err err = ERR_INIT;
	char body[1024];
	int len = snprintf(body, sizeof(body),
			   BEFORE ",\"missing\":{\"cgroups\":99,\"namespaces\":[");

	(void)state;
	for (int i = 0; i <= CONTROL_MISSING_NAMESPACES; i++)
		len += snprintf(body + len, sizeof(body) - (size_t)len, "%s\"n%d\"", i ? "," : "",
				i);
	len += snprintf(body + len, sizeof(body) - (size_t)len, "]}}");
	assert_int_equal(control_applied_unpack(body, (size_t)len, &read, &err), 0);
	assert_int_equal(read.missing.ns_nr, CONTROL_MISSING_NAMESPACES);
	assert_true(control_missing_has(&read.missing, "whoever"));
}

static void what_is_missing_without_a_number_is_refused(void **state)
{
	static const char *const body[] = { BEFORE ",\"missing\":7}", BEFORE ",\"missing\":{}}",
					    BEFORE ",\"missing\":{\"cgroups\":0}}" };
	struct control_applied read;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(body); i++) {
		assert_int_equal(control_applied_unpack(body[i], strlen(body[i]), &read, &err),
				 -EPROTO);
		assert_non_null(strstr(err.text, "missing"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_missing_is_read_as_it_was_written),
		cmocka_unit_test(more_namespaces_than_are_kept_may_be_any),
		cmocka_unit_test(what_is_missing_without_a_number_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
