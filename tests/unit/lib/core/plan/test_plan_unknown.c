/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/core/plan/plan_unknown.h"

static void check(const char *text, size_t nr, const char *first)
{
	json_t *json = json_loads(text, 0, NULL);
	const char *name = NULL;

	assert_non_null(json);
	assert_int_equal(plan_unknown(json, &name), nr);
	if (first)
		assert_string_equal(name, first);
	else
		assert_null(name);
	json_decref(json);
}

#define STEP "{\"hz\":1,\"caps\":[\"cpu\"],\"boosts\":[]}"
#define TARGET                                                                                     \
	"\"uid\":\"u\",\"ns\":\"n\",\"pod\":\"p\",\"class\":\"a\",\"service\":\"s\",\"labels\":{"  \
	"\"x\":\"y\"}"

static void what_is_new_is_counted_wherever_it_is_hashed(void **state)
{
	(void)state;
	check("{\"classes\":[{\"id\":\"a\",\"steps\":[" STEP "]}],\"targets\":[{" TARGET "}]}", 0,
	      NULL);
	check("{\"colour\":1,\"boosts\":[{\"colour\":1}]}", 0, NULL);
	check("{\"classes\":[{\"id\":\"a\",\"colour\":1,\"steps\":[{\"caps\":[\"offcpu\",1]}]}]}",
	      2, "colour");
	check("{\"classes\":{\"set\":[{\"steps\":[{\"burst\":1}]}],\"del\":[]}}", 1, "burst");
	check("{\"targets\":{\"set\":[{\"containers\":[{\"name\":\"c\",\"pid\":1}]}]}}", 1, "pid");
	check("{\"targets\":[{" TARGET ",\"node\":\"n\"},1,[]],\"classes\":7}", 1, "node");
	check("[]", 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_new_is_counted_wherever_it_is_hashed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
