/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "lib/core/text/address.h"

static void check_listen(const char *text, const char *host, const char *port)
{
	struct address address;

	assert_int_equal(address_to_listen(text, &address, NULL), 0);
	assert_string_equal(address.host, host);
	assert_string_equal(address.port, port);
}

static void check_refused(const char *text, const char *sentence)
{
	struct address address = { .host = "untouched" };
	struct err err = ERR_INIT;

	assert_int_equal(address_to_listen(text, &address, &err), -EINVAL);
	assert_string_equal(err.text, sentence);
	assert_string_equal(address.host, "untouched");
}

static void a_host_is_a_name_a_number_or_nothing(void **state)
{
	(void)state;
	check_listen("127.0.0.1:9090", "127.0.0.1", "9090");
	check_listen("[::1]:9090", "::1", "9090");
	check_listen("[fe80::1%eth0]:1", "fe80::1%eth0", "1");
	check_listen("node-7.example.org:4320", "node-7.example.org", "4320");
	check_listen(":4320", "", "4320");
	check_listen(":0", "", "0");
	check_listen(":65535", "", "65535");
	check_listen(":04320", "", "4320");
}

static void what_is_no_address_is_shown_how_to_write(void **state)
{
	static const char *const bad[] = { "",	     "9090",   ":",	"a:",	 "a:b",
					   "::1:90", "::1",    "[::1]", "[]:1",	 "[a]:1",
					   "[::1:1", "::1]:1", "a b:1", "a/b:1", "http://a:1",
					   ":-1",    ":+1",    ":1 ",	":0x1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup(freep) char *sentence =
			xasprintf("\"%s\" is not HOST:PORT, such as [::1]:9090 or :9090", bad[i]);

		check_refused(bad[i], sentence);
	}
}

static void a_port_is_within_what_tcp_has(void **state)
{
	(void)state;
	check_refused(":65536",
		      "\":65536\": the port is not in 0..65535, such as [::1]:9090 or :9090");
	check_refused(":70000",
		      "\":70000\": the port is not in 0..65535, such as [::1]:9090 or :9090");
	check_refused("a:18446744073709551617", "\"a:18446744073709551617\": the port is not in "
						"0..65535, such as [::1]:9090 or :9090");
}

static void to_connect_a_host_and_a_port_are_needed(void **state)
{
	struct address address;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(address_to_connect("rubato:4320", &address, NULL), 0);
	assert_string_equal(address.host, "rubato");
	assert_int_equal(address_to_connect(":4320", &address, &err), -EINVAL);
	assert_string_equal(err.text, "\":4320\" is not HOST:PORT, such as "
				      "rubato.example.org:4320 or [2001:db8::1]:4320");
	assert_int_equal(address_to_connect("rubato:0", &address, &err), -EINVAL);
	assert_string_equal(err.text, "\"rubato:0\": the port is not in 1..65535, such as "
				      "rubato.example.org:4320 or [2001:db8::1]:4320");
}

static void a_host_has_a_bound(void **state)
{
	char text[300];
	struct address address;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + 255, ":1", 3);
	assert_int_equal(address_to_listen(text, &address, NULL), 0);
	assert_int_equal(strlen(address.host), 255);
	memcpy(text + 255, "a:1", 4);
	assert_int_equal(address_to_listen(text, &address, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_is_a_name_a_number_or_nothing),
		cmocka_unit_test(what_is_no_address_is_shown_how_to_write),
		cmocka_unit_test(a_port_is_within_what_tcp_has),
		cmocka_unit_test(to_connect_a_host_and_a_port_are_needed),
		cmocka_unit_test(a_host_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
