/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kube/core/config/proxy.h"

#define PROXY "http://proxy:3128"

static char *find(const char *server, const char *own, const struct kube_proxy_env *env)
{
	const struct kube_config config = { .server = (char *)server, .proxy_url = (char *)own };

	return kube_proxy_find(&config, env);
}

static void check(const char *server, const char *no, bool by_proxy)
{
	const struct kube_proxy_env env = { .https = PROXY, .no = no };
	cleanup(freep) char *url = find(server, NULL, &env);

	if (by_proxy != (url != NULL))
		fail_msg("%s with NO_PROXY=%s: %s", server, no, url ? url : "none");
}

static void a_server_elsewhere_is_reached_by_the_proxy(void **state)
{
	(void)state;
	check("https://10.0.0.1:6443", NULL, true);
	check("https://api.example.com/prefix", "", true);
	check("https://[fd00::1]", NULL, true);
}

static void the_own_machine_is_not(void **state)
{
	(void)state;
	check("https://localhost:6443", NULL, false);
	check("https://127.8.9.1:6443", NULL, false);
	check("https://[::1]:6443", NULL, false);
	check("https://localhost.example.com", NULL, true);
	check("https://128.0.0.1", NULL, true);
}

static void no_proxy_names_domains(void **state)
{
	(void)state;
	check("https://api.example.com", "other.com, Example.COM", false);
	check("https://example.com", "example.com", false);
	check("https://example.com", ".example.com", true);
	check("https://api.example.com", ".example.com", false);
	check("https://api.example.com", "*.example.com", false);
	check("https://badexample.com", "example.com", true);
	check("https://api.example.com", "*", false);
	check("https://api.example.com", ",,", true);
}

static void no_proxy_names_addresses_and_networks(void **state)
{
	(void)state;
	check("https://10.1.2.3:6443", "10.0.0.0/8", false);
	check("https://11.1.2.3:6443", "10.0.0.0/8", true);
	check("https://10.1.2.3", "10.1.2.0/23", false);
	check("https://10.1.4.3", "10.1.2.0/23", true);
	check("https://10.1.2.3", "0.0.0.0/0", false);
	check("https://10.1.2.3", "10.1.2.3", false);
	check("https://10.1.2.33", "10.1.2.3", true);
	check("https://[fd00::1]:443", "fd00::/8", false);
	check("https://[fd00::1]:443", "fd00::1", false);
	check("https://[fd00::1]:443", "[fd00::1]:443", false);
	check("https://[fe00::1]:443", "fd00::/8", true);
	check("https://10.1.2.3", "10.0.0.0/", true);
	check("https://10.1.2.3", "10.0.0.0/99", true);
	check("https://11.1.2.3", "10.0.0.0/-1", true);
	check("https://11.1.2.3", "10.0.0.0/-96", true);
	check("https://11.1.2.3", "10.0.0.0/ 0", true);
}

static void no_proxy_may_name_a_port(void **state)
{
	(void)state;
	check("https://10.1.2.3:6443", "10.1.2.3:6443", false);
	check("https://10.1.2.3:6443", "10.1.2.3:443", true);
	check("https://api.example.com", "example.com:443", false);
	check("https://api.example.com:6443", "example.com:443", true);
}

static void proxy_url_wins_over_all(void **state)
{
	const struct kube_proxy_env env = { .https = PROXY, .no = "*" };
	cleanup(freep) char *url = find("https://127.0.0.1", "https://own:1", &env);
	cleanup(freep) char *socks = find("https://a", "socks5://own:1080", &env);

	(void)state;
	assert_string_equal(url, "https://own:1");
	assert_string_equal(socks, "socks5h://own:1080");
}

static void the_servers_scheme_chooses(void **state)
{
	const struct kube_proxy_env env = { .https = PROXY, .http = "plain:80" };
	cleanup(freep) char *tls = find("https://a", NULL, &env);
	cleanup(freep) char *plain = find("http://a", NULL, &env);

	(void)state;
	assert_string_equal(tls, PROXY);
	assert_string_equal(plain, "http://plain:80");
}

static void a_password_is_not_shown(void **state)
{
	cleanup(freep) char *shown = kube_proxy_shown("http://me:se@cret@proxy:3128");
	cleanup(freep) char *plain = kube_proxy_shown(PROXY);

	(void)state;
	assert_string_equal(shown, PROXY);
	assert_string_equal(plain, PROXY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_elsewhere_is_reached_by_the_proxy),
		cmocka_unit_test(the_own_machine_is_not),
		cmocka_unit_test(no_proxy_names_domains),
		cmocka_unit_test(no_proxy_names_addresses_and_networks),
		cmocka_unit_test(no_proxy_may_name_a_port),
		cmocka_unit_test(proxy_url_wins_over_all),
		cmocka_unit_test(the_servers_scheme_chooses),
		cmocka_unit_test(a_password_is_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
