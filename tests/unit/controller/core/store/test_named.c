/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controller/core/store/named.h"

struct thing {
	struct named named;
	int value;
};

static void things_stand_by_name_whatever_came_first(void **state)
{
	static const char *const name[] = { "m", "z", "a", "mm", "b", "z0" };
	struct named_list list = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(name); i++)
		((struct thing *)named_get(&list, name[i], sizeof(struct thing)))->value = (int)i;
	assert_int_equal(list.nr, ARRAY_SIZE(name));
	for (size_t i = 1; i < list.nr; i++)
		assert_true(strcmp(list.item[i - 1]->name, list.item[i]->name) < 0);
	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		struct thing *thing = named_find(&list, name[i]);

		assert_int_equal(thing->value, i);
		assert_ptr_equal(named_get(&list, name[i], sizeof(*thing)), thing);
		named_take(&list, name[i]);
		assert_null(named_find(&list, name[i]));
		free(thing->named.name);
		free(thing);
	}
	assert_int_equal(list.nr, 0);
	free(list.item);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(things_stand_by_name_whatever_came_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
