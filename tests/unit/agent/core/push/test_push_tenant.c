/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "agent/core/push/push_tenant.h"

static const char *const pair[] = { "payments=team-a", "pay=short" };

static void check(const char *template, const char *ns, const char *wanted)
{
	const struct push_tenants tenants = { .template = template,
					      .pair = pair,
					      .pair_nr = ARRAY_SIZE(pair) };
	char tenant[PUSH_TENANT_BYTES + 1];

	push_tenant_of(&tenants, ns, tenant);
	assert_string_equal(tenant, wanted);
}

static void the_map_wins_over_the_template(void **state)
{
	(void)state;
	check("k8s-{namespace}", "payments", "team-a");
	check("k8s-{namespace}", "pay", "short");
	check("k8s-{namespace}", "shop", "k8s-shop");
	check("{namespace}.{namespace}", "shop", "shop.shop");
	check("all", "shop", "all");
	check(NULL, "shop", "");
	check(NULL, "paymentsx", "");
}

static void what_no_tenant_may_be_is_none(void **state)
{
	char longest[PUSH_TENANT_BYTES + 2];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	check("{namespace}", longest, "");
	longest[PUSH_TENANT_BYTES] = '\0';
	check("{namespace}", longest, longest);
	check("x{namespace}", longest, "");
	check("{namespace}", "a b", "");
	check("{namespace}", "a\r\nEvil: 1", "");
	check("{namespace}", "a|b", "");
	check("{namespace}", "..", "");
	check("{namespace}", "", "");
}

static void settings_are_checked(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(push_tenant_template_check("team-{namespace}", &err), 0);
	assert_int_equal(push_tenant_template_check("{namespace}", &err), 0);
	assert_true(push_tenant_template_check("team {namespace}", &err) < 0);
	assert_non_null(strstr(err.text, "\"team {namespace}\" is not a tenant"));
	assert_true(push_tenant_template_check("{pod}", &err) < 0);
	assert_true(push_tenant_template_check("", &err) < 0);
	assert_int_equal(push_tenant_pair_check("payments=team-a", &err), 0);
	assert_true(push_tenant_pair_check("payments", &err) < 0);
	assert_non_null(strstr(err.text, "is not NAMESPACE=TENANT"));
	assert_true(push_tenant_pair_check("=x", &err) < 0);
	assert_true(push_tenant_pair_check("payments=a/b", &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_map_wins_over_the_template),
		cmocka_unit_test(what_no_tenant_may_be_is_none),
		cmocka_unit_test(settings_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
