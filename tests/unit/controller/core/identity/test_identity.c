/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/identity/identity.h"
#include "controller/core/store/store.h"
#include "tests/unit/controller/world.h"

/* Agents that show tokens, an API server's answers, and a cluster of one node and one pod. */

#define AUDIENCE "rubato-controller"
#define USER "system:serviceaccount:rubato:rubato-agent"
#define EXTRA "authentication.kubernetes.io/"
#define WALL_S 1000000LL
#define BOOT_NS (5000 * NSEC_PER_SEC)
/* {"aud":["rubato-controller"],"exp":1000500} and 999980, which API servers still take */
#define TOKEN "e30.eyJhdWQiOlsicnViYXRvLWNvbnRyb2xsZXIiXSwiZXhwIjoxMDAwNTAwfQ.c2ln"
#define JUST_EXPIRED "e30.eyJhdWQiOlsicnViYXRvLWNvbnRyb2xsZXIiXSwiZXhwIjo5OTk5ODB9.c2ln"

#define GOOD_ANSWER                                                                                \
	"{\"kind\":\"TokenReview\",\"apiVersion\":\"authentication.k8s.io/v1\",\"status\":{"       \
	"\"authenticated\":true,\"audiences\":[\"" AUDIENCE "\"],\"user\":{\"username\":\"" USER   \
	"\",\"extra\":{\"" EXTRA "pod-name\":[\"agent-1\"],\"" EXTRA "pod-uid\":[\"p1\"],\"" EXTRA \
	"node-name\":[\"worker-1\"],\"" EXTRA "node-uid\":[\"n1\"]}}}}"
#define ANSWER_OF_TWO_NODES                                                                        \
	"{\"kind\":\"TokenReview\",\"apiVersion\":\"authentication.k8s.io/v1\",\"status\":{"       \
	"\"authenticated\":true,\"audiences\":[\"" AUDIENCE "\"],\"user\":{\"username\":\"" USER   \
	"\",\"extra\":{\"" EXTRA "pod-name\":[\"agent-1\"],\"" EXTRA "pod-uid\":[\"p1\"],\"" EXTRA \
	"node-name\":[\"worker-1\",\"worker-2\"]}}}}"

static const struct identity_now now = { .boot_ns = BOOT_NS, .wall_ns = WALL_S * NSEC_PER_SEC };

static struct store *store;
static struct identity *identity;

static int setup(void **state)
{
	(void)state;
	store = store_new();
	store_apply(store,
		    world_object_text("{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":"
				      "{\"name\":\"worker-1\",\"uid\":\"n1\"}}"));
	store_apply(store, world_object_text("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":"
					     "{\"namespace\":\"rubato\",\"name\":\"agent-1\","
					     "\"uid\":\"p1\"},\"spec\":{\"nodeName\":\"worker-1\","
					     "\"containers\":[{\"name\":\"agent\"}]}}"));
	identity = identity_new(store, AUDIENCE, "rubato", USER);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	identity_free(identity);
	store_free(store);
	return 0;
}

/* --- what agents, the API server and the shell do --- */

/* Another token each time: the signature differs. */
static struct identity_question *ask_number(int number, struct identity_verdict *verdict)
{
	char token[sizeof(TOKEN) + 16];

	snprintf(token, sizeof(token), TOKEN "%04d", number);
	return identity_ask(identity, token, NULL, &now, verdict);
}

static struct identity_question *ask(const char *token)
{
	struct identity_verdict verdict;
	struct identity_question *question = identity_ask(identity, token, NULL, &now, &verdict);

	assert_non_null(question);
	return question;
}

static void send_review(struct identity_question *question)
{
	free(identity_request(identity, question));
}

static void review(struct identity_question *question, int code, const char *body,
		   struct identity_verdict *verdict)
{
	static const struct err why = { .text = "connection refused" };
	const struct identity_answer answer = {
		.code = code, .why = &why, .body = body, .len = body ? strlen(body) : 0
	};

	identity_reviewed(identity, question, &answer, now.boot_ns, verdict);
	identity_drop(identity, question);
}

static void check_verdict(const struct identity_verdict *verdict, enum token_reason want,
			  const char *why)
{
	assert_string_equal(token_reason_name(verdict->reason), token_reason_name(want));
	assert_string_equal(verdict->why.text, why);
	assert_string_equal(verdict->node, want == TOKEN_GOOD ? "worker-1" : "");
}

static void check_reviewed(const char *token, int code, const char *body, enum token_reason want,
			   const char *why)
{
	struct identity_question *question = ask(token);
	struct identity_verdict verdict;

	send_review(question);
	review(question, code, body, &verdict);
	check_verdict(&verdict, want, why);
}

static void check_at_once(const char *token, enum token_reason want, const char *why)
{
	struct identity_verdict verdict;

	assert_null(identity_ask(identity, token, NULL, &now, &verdict));
	check_verdict(&verdict, want, why);
}

/* --- one agent --- */

static void an_agent_is_that_of_its_pods_node(void **state)
{
	struct identity_question *question = ask(TOKEN);
	struct identity_verdict verdict;

	(void)state;
	assert_ptr_equal(identity_next(identity), question);
	send_review(question);
	review(question, 201, GOOD_ANSWER, &verdict);
	check_verdict(&verdict, TOKEN_GOOD, "");
	assert_string_equal(verdict.pod_uid, "p1");
	assert_int_equal(verdict.expires_ns, BOOT_NS + 500 * NSEC_PER_SEC);
}

static void the_request_holds_the_token_and_nobody_else_does_any_longer(void **state)
{
	struct identity_question *question = ask(TOKEN);
	cleanup(freep) char *body = identity_request(identity, question);

	(void)state;
	assert_non_null(strstr(body, TOKEN));
	assert_null(question->token);
}

static void what_cannot_be_good_is_not_asked(void **state)
{
	(void)state;
	check_at_once("", TOKEN_MISSING, "no token came along (the agent's --token-file)");
	check_at_once("a.b", TOKEN_MALFORMED, "the token is not a JSON Web Token");
	assert_null(identity_next(identity));
}

static void a_known_token_is_not_asked_again(void **state)
{
	(void)state;
	check_reviewed(TOKEN, 201, GOOD_ANSWER, TOKEN_GOOD, "");
	check_at_once(TOKEN, TOKEN_GOOD, "");
}

static void a_known_token_is_worth_nothing_once_its_pod_is_gone(void **state)
{
	(void)state;
	check_reviewed(TOKEN, 201, GOOD_ANSWER, TOKEN_GOOD, "");
	store_delete(store, OBJECT_POD, "rubato", "agent-1");
	check_at_once(TOKEN, TOKEN_POD_GONE,
		      "pod agent-1 of the token is no more, or not known yet");
}

static void a_token_that_ended_is_refused_although_the_api_server_takes_it(void **state)
{
	(void)state;
	check_reviewed(JUST_EXPIRED, 201, GOOD_ANSWER, TOKEN_EXPIRED, "the token has expired");
}

static void an_ambiguous_answer_is_a_refusal_that_is_kept(void **state)
{
	(void)state;
	check_reviewed(TOKEN, 201, ANSWER_OF_TWO_NODES, TOKEN_AMBIGUOUS,
		       "the token's pod or node has not exactly one value");
	check_at_once(TOKEN, TOKEN_AMBIGUOUS, "this very token was refused a moment ago");
}

static void without_an_answer_nothing_is_known_of_the_token(void **state)
{
	(void)state;
	check_reviewed(TOKEN, 0, NULL, TOKEN_UNAVAILABLE, "connection refused");
	check_reviewed(TOKEN, 403, "{}", TOKEN_UNAVAILABLE,
		       "the API server does not review tokens for us: HTTP 403");
	check_reviewed(TOKEN, 201, GOOD_ANSWER, TOKEN_GOOD, "");
}

/* --- many --- */

/* What the shell does: send as many as may be under review. */
static size_t send_all(struct identity_question **sent)
{
	struct identity_question *question;
	size_t nr = 0;

	while ((question = identity_next(identity))) {
		send_review(question);
		sent[nr++] = question;
	}
	return nr;
}

static void all_that_come_at_once_are_reviewed_some_at_a_time(void **state)
{
	struct identity_question *sent[IDENTITY_WAITING_MAX];
	struct identity_verdict verdict;
	size_t reviewed = 0, nr;

	(void)state;
	for (int i = 0; i < IDENTITY_WAITING_MAX; i++)
		assert_non_null(ask_number(i, &verdict));
	while ((nr = send_all(sent)) > 0) {
		assert_true(nr <= IDENTITY_REVIEWS_MAX);
		for (size_t i = 0; i < nr; i++) {
			review(sent[i], 201, GOOD_ANSWER, &verdict);
			check_verdict(&verdict, TOKEN_GOOD, "");
		}
		reviewed += nr;
	}
	assert_int_equal(reviewed, IDENTITY_WAITING_MAX);
	assert_null(identity_first(identity));
}

static void who_came_first_is_reviewed_first(void **state)
{
	struct identity_question *first = ask(TOKEN "aaaa"), *second = ask(TOKEN "bbbb");

	(void)state;
	assert_ptr_equal(identity_next(identity), first);
	send_review(first);
	assert_ptr_equal(identity_next(identity), second);
}

static void one_too_many_is_refused_as_busy_until_somebody_leaves(void **state)
{
	struct identity_verdict verdict;

	(void)state;
	for (int i = 0; i < IDENTITY_WAITING_MAX; i++)
		assert_non_null(ask_number(i, &verdict));
	assert_null(ask_number(9999, &verdict));
	check_verdict(&verdict, TOKEN_BUSY, "too many tokens wait for their review, come again");
	identity_drop(identity, identity_first(identity));
	assert_non_null(ask_number(9999, &verdict));
}

static void what_has_become_known_while_it_waited_needs_no_review(void **state)
{
	struct identity_question *before = ask(TOKEN), *again = ask(TOKEN);
	struct identity_verdict verdict;

	(void)state;
	assert_false(identity_known(identity, again, now.boot_ns, &verdict));
	send_review(before);
	review(before, 201, GOOD_ANSWER, &verdict);
	assert_true(identity_known(identity, again, now.boot_ns, &verdict));
	check_verdict(&verdict, TOKEN_GOOD, "");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(an_agent_is_that_of_its_pods_node),
		TEST(the_request_holds_the_token_and_nobody_else_does_any_longer),
		TEST(what_cannot_be_good_is_not_asked),
		TEST(a_known_token_is_not_asked_again),
		TEST(a_known_token_is_worth_nothing_once_its_pod_is_gone),
		TEST(a_token_that_ended_is_refused_although_the_api_server_takes_it),
		TEST(an_ambiguous_answer_is_a_refusal_that_is_kept),
		TEST(without_an_answer_nothing_is_known_of_the_token),
		TEST(all_that_come_at_once_are_reviewed_some_at_a_time),
		TEST(who_came_first_is_reviewed_first),
		TEST(one_too_many_is_refused_as_busy_until_somebody_leaves),
		TEST(what_has_become_known_while_it_waited_needs_no_review),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
