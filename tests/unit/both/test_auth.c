/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "controller/core/identity/token_review.h"
#include "lib/core/control/control_msg.h"
#include "lib/core/control/opamp.h"
#include "lib/core/limits.h"
#include "tests/unit/both/raw.h"

/* Agents that say by a token who they are, over real TLS, and a reviewer that does as it is told. */

static struct rig rig;

static struct {
	const char *node; /* what a review finds out; NULL = refused */
	uint64_t wait_ms; /* how long it takes; 0 = it answers at once */
	bool never;
	int64_t life_ns;       /* of the token; 0 = for ever */
	struct hub_auth *auth; /* the last one not answered */
	unsigned asked, unwanted;
	char token[TOKEN_MAX_BYTES + 1], cert_name[256];
	uv_timer_t timer;
} reviewer;

static void answer(struct hub_auth *auth)
{
	const struct hub_identity identity = {
		.node = reviewer.node,
		.pod_uid = "u-1",
		.expires_ns = reviewer.life_ns ? now_boot_ns() + reviewer.life_ns : INT64_MAX,
		.reason = "user",
		.why = "it is of somebody else",
	};

	reviewer.unwanted += !hub_auth_wanted(auth);
	hub_auth_done(auth, &identity);
}

static void on_reviewed(uv_timer_t *timer)
{
	(void)timer;
	if (reviewer.auth)
		answer(TAKE_PTR(reviewer.auth));
}

static void review(void *ctx, const char *token, const char *cert_name, struct hub_auth *auth)
{
	(void)ctx;
	reviewer.asked++;
	snprintf(reviewer.token, sizeof(reviewer.token), "%s", token);
	snprintf(reviewer.cert_name, sizeof(reviewer.cert_name), "%s", cert_name);
	if (!reviewer.never && !reviewer.wait_ms) {
		answer(auth);
		return;
	}
	if (reviewer.auth)
		answer(TAKE_PTR(reviewer.auth));
	reviewer.auth = auth;
	if (!reviewer.never)
		uv_timer_start(&reviewer.timer, on_reviewed, reviewer.wait_ms, 0);
}

static char token_file[128];

static void write_token(const char *text, size_t len)
{
	FILE *file = fopen(token_file, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	fclose(file);
}

static int setup(void **state)
{
	(void)state;
	rig_init(&rig);
	memset(&reviewer, 0, sizeof(reviewer));
	reviewer.node = "worker-of-the-review";
	uv_timer_init(&rig.loop, &reviewer.timer);
	rig.authenticate = review;
	snprintf(token_file, sizeof(token_file), "%s/token", rig.pki.dir);
	rig.token_file = token_file;
	write_token("a.b.c\n", 6);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (rig.client)
		rig_stop_client(&rig);
	if (rig.hub)
		rig_stop_hub(&rig);
	if (reviewer.auth) /* after the hub is gone: it must not mind */
		answer(TAKE_PTR(reviewer.auth));
	uv_close((uv_handle_t *)&reviewer.timer, NULL);
	rig_release(&rig);
	return 0;
}

static double refused(const char *reason)
{
	return metric_get(metrics_counter(rig.hub_metrics, "rubato_controller_auth_refused_total",
					  "", METRIC_LABELS("reason", reason)));
}

static bool was_refused(struct rig *r)
{
	(void)r;
	return refused("user") > 0;
}

static bool was_asked(struct rig *r)
{
	(void)r;
	return reviewer.asked > 0;
}

static bool has_two_sessions(struct rig *r)
{
	return r->sessions >= 2;
}

static bool is_gone(struct rig *r)
{
	return !r->connected;
}

static int start(void)
{
	int port = rig_start_hub_at(&rig, 0);

	assert_true(port > 0);
	assert_int_equal(rig_start_client(&rig, port), 0);
	return port;
}

/* --- who it is --- */

static void check_node_of_review(void)
{
	struct plan plan = rig_plan(49, 1);

	hub_set_plan(rig.hub, "worker-of-the-review", &plan, HUB_LANE_NOW);
	assert_true(rig_until(&rig, rig_is_connected, 4000));
	assert_string_equal(control_client_node(rig.client), "worker-of-the-review");
	assert_string_equal(reviewer.token, "a.b.c");
	assert_string_equal(reviewer.cert_name, NODE);
	rig_wait(&rig, 100);
	assert_int_equal(rig.rate_hz, 49);
}

static void the_node_comes_from_the_review_not_from_the_certificate(void **state)
{
	struct hub_node node;

	(void)state;
	reviewer.wait_ms = 50;
	start();
	check_node_of_review();
	assert_false(hub_node_get(rig.hub, NODE, &node));
}

static void a_review_may_answer_at_once(void **state)
{
	(void)state;
	start();
	check_node_of_review();
}

static void without_a_reviewer_the_certificate_names_the_node(void **state)
{
	(void)state;
	rig.authenticate = NULL;
	start();
	assert_true(rig_until(&rig, rig_is_connected, 4000));
	assert_string_equal(control_client_node(rig.client), NODE);
	assert_int_equal(reviewer.asked, 0);
}

static void a_refused_agent_is_closed_and_counted(void **state)
{
	struct hub_node node;

	(void)state;
	reviewer.node = NULL;
	reviewer.wait_ms = 20;
	start();
	assert_true(rig_until(&rig, was_refused, 4000));
	rig_wait(&rig, 100);
	assert_false(rig.connected);
	assert_int_equal(rig.sessions, 0);
	assert_false(hub_node_get(rig.hub, NODE, &node));
}

static void an_agent_that_was_refused_comes_back_when_it_may(void **state)
{
	(void)state;
	reviewer.node = NULL;
	start();
	assert_true(rig_until(&rig, was_refused, 4000));
	reviewer.node = "worker-2";
	assert_true(rig_until(&rig, rig_is_connected, 15000));
	assert_string_equal(control_client_node(rig.client), "worker-2");
}

static void an_expired_token_asks_for_a_fresh_one(void **state)
{
	(void)state;
	reviewer.life_ns = 100 * NSEC_PER_MSEC; /* and up to 10 s of jitter */
	start();
	assert_true(rig_until(&rig, rig_is_connected, 4000));
	write_token("d.e.f", 5);
	reviewer.life_ns = 0;
	assert_true(rig_until(&rig, is_gone, 11500));
	assert_true(rig_until(&rig, has_two_sessions, 8000));
	assert_string_equal(reviewer.token, "d.e.f");
}

/* --- while the review goes on, and after --- */

static int join_and_count(struct rig *r, int port)
{
	struct raw raw;
	uint8_t room[65536];
	int opcode, len, messages = 0;

	if (!raw_join(&raw, &r->pki, "agent", port, OPAMP_PATH, "websocket"))
		return 1;
	while ((len = raw_next(&raw, &opcode, room, sizeof(room))) >= 0) {
		if (opcode == RAW_CLOSE && len >= 2)
			return messages * 10000 + (room[0] << 8 | room[1]);
		messages += opcode == RAW_BINARY;
	}
	return 2;
}

static void a_review_that_never_ends_is_given_up_and_nothing_is_said_meanwhile(void **state)
{
	(void)state;
	reviewer.never = true;
	assert_int_equal(raw_play(&rig, join_and_count, rig_start_hub_at(&rig, 0)), 4401);
	assert_true(refused("timeout") == 1);
}

static int join_and_go(struct rig *r, int port)
{
	struct raw raw;

	return raw_join(&raw, &r->pki, "agent", port, OPAMP_PATH, "websocket");
}

static void an_answer_after_the_agent_went_is_of_no_use(void **state)
{
	struct hub_node node;

	(void)state;
	reviewer.wait_ms = 300;
	assert_int_equal(raw_play(&rig, join_and_go, rig_start_hub_at(&rig, 0)), 1);
	rig_wait(&rig, 600);
	assert_int_equal(reviewer.asked, 1);
	assert_int_equal(reviewer.unwanted, 1);
	assert_false(hub_node_get(rig.hub, "worker-of-the-review", &node));
}

static void an_answer_after_the_hub_is_gone_is_of_no_use(void **state)
{
	(void)state;
	reviewer.never = true;
	start();
	assert_true(rig_until(&rig, was_asked, 4000));
	rig_stop_hub(&rig);
	assert_false(hub_auth_wanted(reviewer.auth));
	answer(TAKE_PTR(reviewer.auth));
}

static int talk_too_much(struct rig *r, int bytes)
{
	static uint8_t room[LIMIT_CONTROL_RX_PENDING + 1];
	struct raw raw;

	if (!raw_join(&raw, &r->pki, "agent", hub_port(r->hub), OPAMP_PATH, "websocket"))
		return 1;
	if (bytes) {
		raw_frame(&raw, RAW_BINARY | RAW_FIN, room, (size_t)bytes);
	} else {
		raw_frame(&raw, RAW_BINARY | RAW_FIN, room, 8);
		raw_frame(&raw, RAW_BINARY | RAW_FIN, room, 8);
	}
	return raw_close_code(&raw);
}

static void one_small_message_is_kept_during_the_review_no_more(void **state)
{
	(void)state;
	reviewer.never = true;
	rig_start_hub_at(&rig, 0);
	assert_int_equal(raw_play(&rig, talk_too_much, LIMIT_CONTROL_RX_PENDING + 1), 1009);
	assert_int_equal(raw_play(&rig, talk_too_much, 0), 4008);
}

/* --- tokens --- */

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
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_node_comes_from_the_review_not_from_the_certificate),
		T(a_review_may_answer_at_once),
		T(without_a_reviewer_the_certificate_names_the_node),
		T(a_refused_agent_is_closed_and_counted),
		T(an_agent_that_was_refused_comes_back_when_it_may),
		T(an_expired_token_asks_for_a_fresh_one),
		T(a_review_that_never_ends_is_given_up_and_nothing_is_said_meanwhile),
		T(an_answer_after_the_agent_went_is_of_no_use),
		T(an_answer_after_the_hub_is_gone_is_of_no_use),
		T(one_small_message_is_kept_during_the_review_no_more),
		T(long_tokens_arrive_whole),
		T(a_token_too_long_is_refused_unread),
		T(without_a_token_the_reviewer_is_asked_about_nothing),
		T(without_its_file_the_agent_waits_for_it),
		T(an_empty_file_is_waited_out),
		T(a_file_that_would_forge_a_header_is_not_sent),
		T(a_file_of_the_longest_token_is_sent),
		T(another_host_of_the_same_ca_does_not_see_the_token),
		T(another_address_of_the_same_ca_does_not_see_the_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
