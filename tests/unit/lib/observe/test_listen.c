/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/observe/listen.h"

static int try_connect(int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;

	close(fd);
	return r;
}

static void check_address(const char *address, const char *sentence)
{
	struct err err = ERR_INIT;
	int fd;

	assert_int_equal(listen_tcp(address, LISTEN_NOW, &fd, &err), -EINVAL);
	assert_string_equal(err.text, sentence);
}

static void a_wrong_address_is_named(void **state)
{
	int fd = -1;

	(void)state;
	check_address("9090", "\"9090\" is not HOST:PORT, such as [::1]:9090 or :9090");
	check_address("::1:90", "\"::1:90\" is not HOST:PORT, such as [::1]:9090 or :9090");
	check_address("a:b", "\"a:b\" is not HOST:PORT, such as [::1]:9090 or :9090");
	check_address("example.org:1",
		      "\"example.org:1\": HOST is a number, localhost, or nothing for all "
		      "addresses: Name or service not known");
	assert_int_equal(listen_tcp("localhost:0", LISTEN_NOW, &fd, NULL), 0);
	assert_true(listen_port(fd) > 0);
	close(fd);
}

static void check_listens(const char *address, int family)
{
	struct sockaddr_storage bound = { 0 };
	socklen_t len = sizeof(bound);
	int fd = -1;

	assert_int_equal(listen_tcp(address, LISTEN_NOW, &fd, NULL), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &len), 0);
	/* Where IPv6 is off, IPv4 alone. */
	assert_true(bound.ss_family == family || bound.ss_family == AF_INET);
	assert_int_equal(try_connect(listen_port(fd)), 0);
	close(fd);
}

static void without_a_host_it_is_all_addresses(void **state)
{
	(void)state;
	check_listens(":0", AF_INET6);
	check_listens("127.0.0.1:0", AF_INET);
}

static void a_bound_socket_refuses_until_it_listens(void **state)
{
	int fd = -1;

	(void)state;
	assert_int_equal(listen_tcp("127.0.0.1:0", LISTEN_LATER, &fd, NULL), 0);
	assert_int_equal(try_connect(listen_port(fd)), -ECONNREFUSED);
	assert_int_equal(listen_start(fd, NULL), 0);
	assert_int_equal(try_connect(listen_port(fd)), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_address_is_named),
		cmocka_unit_test(without_a_host_it_is_all_addresses),
		cmocka_unit_test(a_bound_socket_refuses_until_it_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
