/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/control/opamp.h"
#include "lib/core/limits.h"
#include "tests/unit/both/auth_rig.h"

/* What is accepted as a token, on both sides. */

/* --- as the hub reads it --- */

static int join_with_header(struct rig *r, int len)
{
	cleanup(freep) char *header = xmalloc((size_t)len + 64);
	struct raw raw;
	size_t n = (size_t)sprintf(header, "websocket\r\nAuthorization: Bearer ");

	memset(header + n, 'a', (size_t)len);
	header[n + (size_t)len] = '\0';
	if (!raw_join(&raw, &r->pki, "agent", hub_port(r->hub), OPAMP_PATH, header))
		return 1;
	return raw_close_code(&raw);
}

static void long_tokens_arrive_whole(void **state)
{
	static const int length[] = { 1, 4000, 8200, (int)TOKEN_MAX_BYTES };

	(void)state;
	reviewer.node = NULL;
	rig_start_hub_at(&rig, 0);
	for (size_t i = 0; i < ARRAY_SIZE(length); i++) {
		assert_int_equal(raw_play(&rig, join_with_header, length[i]), 4401);
		assert_int_equal(strlen(reviewer.token), length[i]);
	}
}

static void a_token_too_long_is_refused_unread(void **state)
{
	(void)state;
	rig_start_hub_at(&rig, 0);
	assert_int_equal(raw_play(&rig, join_with_header, TOKEN_MAX_BYTES + 1), 4401);
	assert_true(refused("too_long") == 1);
	assert_int_equal(raw_play(&rig, join_with_header, 2 * TOKEN_MAX_BYTES), 1);
	assert_int_equal(reviewer.asked, 0);
}

static void without_a_token_the_reviewer_is_asked_about_nothing(void **state)
{
	(void)state;
	reviewer.node = NULL;
	rig.token_file = NULL;
	start();
	assert_true(rig_until(&rig, was_refused, 4000));
	assert_string_equal(reviewer.token, "");
}

/* --- the agent's file --- */

static void check_bad_file(const char *text, size_t len)
{
	if (text)
		write_token(text, len);
	else
		unlink(token_file);
	start();
	rig_wait(&rig, 300);
	assert_int_equal(reviewer.asked, 0);
	assert_false(rig.connected);
	write_token("g.h.i", 5);
	assert_true(rig_until(&rig, rig_is_connected, 15000));
	assert_string_equal(reviewer.token, "g.h.i");
}

static void without_its_file_the_agent_waits_for_it(void **state)
{
	(void)state;
	check_bad_file(NULL, 0);
}

static void an_empty_file_is_waited_out(void **state)
{
	(void)state;
	check_bad_file(" \n", 2);
}

static void a_file_that_would_forge_a_header_is_not_sent(void **state)
{
	(void)state;
	check_bad_file("a.b.c\r\nX: y", 11);
}

static void a_file_of_the_longest_token_is_sent(void **state)
{
	static char token[TOKEN_MAX_BYTES];

	(void)state;
	memset(token, 'x', sizeof(token));
	write_token(token, sizeof(token));
	start();
	assert_true(rig_until(&rig, rig_is_connected, 4000));
	assert_int_equal(strlen(reviewer.token), sizeof(token));
}

/* A controller with a certificate of the right CA and another name: how much it reads of the upgrade. */
static int listener;

static int read_upgrade(struct rig *r, int arg)
{
	struct raw raw = { .ctx = SSL_CTX_new(TLS_server_method()), .is_server = true };
	char head[4096] = "";

	(void)arg;
	raw_load(&raw, &r->pki, "agent");
	raw.fd = accept4(listener, NULL, NULL, 0);
	raw_patience(raw.fd);
	raw.ssl = SSL_new(raw.ctx);
	SSL_set_fd(raw.ssl, raw.fd);
	if (SSL_accept(raw.ssl) == 1 && raw_read_head(&raw, head, sizeof(head)))
		return 1;
	return head[0] ? 2 : 0;
}

static void check_nothing_told(const char *server_name)
{
	int port;

	listener = raw_listen(&port);
	rig.server_name = server_name;
	assert_int_equal(rig_start_client(&rig, port), 0);
	assert_int_equal(raw_play(&rig, read_upgrade, 0), 0);
	close(listener);
}

static void another_host_of_the_same_ca_does_not_see_the_token(void **state)
{
	(void)state;
	check_nothing_told("controller.test");
}

static void another_address_of_the_same_ca_does_not_see_the_token(void **state)
{
	(void)state;
	check_nothing_told("127.0.0.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(long_tokens_arrive_whole),
		TEST(a_token_too_long_is_refused_unread),
		TEST(without_a_token_the_reviewer_is_asked_about_nothing),
		TEST(without_its_file_the_agent_waits_for_it),
		TEST(an_empty_file_is_waited_out),
		TEST(a_file_that_would_forge_a_header_is_not_sent),
		TEST(a_file_of_the_longest_token_is_sent),
		TEST(another_host_of_the_same_ca_does_not_see_the_token),
		TEST(another_address_of_the_same_ca_does_not_see_the_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
