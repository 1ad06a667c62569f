/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/identity/token_review.h"
#include "controller/core/identity/token_cache.h"
#include "lib/core/text/json.h"

#define AUDIENCE "rubato-controller"
#define USER "system:serviceaccount:rubato:rubato-agent"
#define EXTRA "authentication.kubernetes.io/"

static const struct token_expect expect = { .audience = AUDIENCE, .user = USER };

/* --- what the API server says --- */

static json_t *extra_of(json_t *review)
{
	return json_object_get(json_object_get(json_object_get(review, "status"), "user"), "extra");
}

static json_t *good_answer(void)
{
	json_t *review = json_pack(
		"{s:s, s:s, s:{s:s}, s:{s:b, s:[s], s:{s:s, s:{s:[s], s:[s], s:[s], s:[s]}}}}",
		"kind", "TokenReview", "apiVersion", "authentication.k8s.io/v1", "spec", "token",
		"a.b.c", "status", "authenticated", 1, "audiences", AUDIENCE, "user", "username",
		USER, "extra", EXTRA "pod-name", "agent-1", EXTRA "pod-uid", "pod-uid-1",
		EXTRA "node-name", "worker-1", EXTRA "node-uid", "node-uid-1");

	assert_non_null(review);
	return review;
}

static void check_answer(json_t *review, enum token_reason want, const char *sentence)
{
	char *body = json_dumps(review, 0);
	struct token_claims claims = { .pod = "untouched" };
	struct err err = ERR_INIT;
	enum token_reason reason = token_review_read(body, strlen(body), &expect, &claims, &err);

	assert_string_equal(token_reason_name(reason), token_reason_name(want));
	assert_string_equal(err.text, sentence);
	assert_string_equal(claims.pod, reason == TOKEN_GOOD ? "agent-1" : "untouched");
	free(body);
	json_decref(review);
}

static void a_good_answer_gives_pod_and_node(void **state)
{
	json_auto_t *review = good_answer();
	cleanup(freep) char *body = json_dumps(review, 0);
	struct token_claims claims;
	struct err err;

	(void)state;
	assert_int_equal(token_review_read(body, strlen(body), &expect, &claims, &err), TOKEN_GOOD);
	assert_string_equal(claims.pod, "agent-1");
	assert_string_equal(claims.pod_uid, "pod-uid-1");
	assert_string_equal(claims.node, "worker-1");
	assert_string_equal(claims.node_uid, "node-uid-1");
}

static void check_status(const char *key, json_t *value, enum token_reason want,
			 const char *sentence)
{
	json_t *review = good_answer();

	json_object_set_new(json_object_get(review, "status"), key, value);
	check_answer(review, want, sentence);
}

static void who_is_not_authenticated_is_refused(void **state)
{
	static const char no[] = "the API server does not accept the token";

	(void)state;
	check_status("authenticated", json_false(), TOKEN_REFUSED, no);
	check_status("authenticated", json_null(), TOKEN_REFUSED, no);
	check_status("authenticated", json_string("true"), TOKEN_REFUSED, no);
	check_status("error", json_string("token has expired"), TOKEN_REFUSED, no);
	check_status("error", json_integer(1), TOKEN_REFUSED, no);
	check_status("error", json_string(""), TOKEN_GOOD, "");
}

static void a_token_for_somebody_else_is_refused(void **state)
{
	static const char no[] =
		"the API server does not say that the token is for rubato-controller";

	(void)state;
	check_status("audiences", json_array(), TOKEN_AUDIENCE, no);
	check_status("audiences", json_null(), TOKEN_AUDIENCE, no);
	check_status("audiences", json_string(AUDIENCE), TOKEN_AUDIENCE, no);
	check_status("audiences", json_pack("[s]", "https://kubernetes.default.svc"),
		     TOKEN_AUDIENCE, no);
	check_status("audiences", json_pack("[s]", AUDIENCE "2"), TOKEN_AUDIENCE, no);
	check_status("audiences", json_pack("[s,s]", "other", AUDIENCE), TOKEN_GOOD, "");
}

static void only_the_very_service_account_is_accepted(void **state)
{
	static const char *const other[] = { "system:serviceaccount:rubato:rubato-agent2",
					     "system:serviceaccount:rubato:rubato-agen",
					     "system:serviceaccount:other:rubato-agent",
					     "rubato-agent", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		json_t *review = good_answer();

		json_object_set_new(json_object_get(json_object_get(review, "status"), "user"),
				    "username", json_string(other[i]));
		check_answer(review, TOKEN_USER, "the token is not that of " USER);
	}
}

static void check_claim(const char *key, json_t *value, enum token_reason want,
			const char *sentence)
{
	json_t *review = good_answer();

	if (value)
		json_object_set_new(extra_of(review), key, value);
	else
		json_object_del(extra_of(review), key);
	check_answer(review, want, sentence);
}

static void a_claim_has_exactly_one_value(void **state)
{
	static const char *const key[] = { EXTRA "pod-name", EXTRA "pod-uid", EXTRA "node-name",
					   EXTRA "node-uid" };
	static const char no[] = "the token's pod or node has not exactly one value";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(key); i++) {
		check_claim(key[i], json_array(), TOKEN_AMBIGUOUS, no);
		check_claim(key[i], json_pack("[s,s]", "a", "b"), TOKEN_AMBIGUOUS, no);
		check_claim(key[i], json_string("a"), TOKEN_AMBIGUOUS, no);
		check_claim(key[i], json_pack("[i]", 1), TOKEN_AMBIGUOUS, no);
		check_claim(key[i], json_pack("[s]", ""), TOKEN_AMBIGUOUS, no);
		check_claim(key[i], json_pack("[s]", "a/b"), TOKEN_AMBIGUOUS, no);
	}
}

static void a_token_not_bound_to_a_pod_is_refused(void **state)
{
	static const char no[] = "the token is not bound to a pod";

	(void)state;
	check_claim(EXTRA "pod-name", NULL, TOKEN_UNBOUND, no);
	check_claim(EXTRA "pod-uid", NULL, TOKEN_UNBOUND, no);
	check_claim(EXTRA "node-name", NULL, TOKEN_GOOD, "");
	check_claim(EXTRA "node-uid", NULL, TOKEN_GOOD, "");
}

static void what_is_no_review_is_no_answer(void **state)
{
	static const char *const body[] = { "",
					    "{}",
					    "[]",
					    "{",
					    "{\"status\":1}",
					    "{\"status\":null}",
					    "\0",
					    "{\"status\":{},\"status\":{}}" };
	struct token_claims claims;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(body); i++) {
		assert_int_equal(
			token_review_read(body[i], strlen(body[i]), &expect, &claims, &err),
			TOKEN_UNAVAILABLE);
		assert_string_equal(err.text, "the API server's answer is not a TokenReview");
	}
}

/* --- what the cluster says --- */

static const struct token_claims claimed = { "agent-1", "p1", "worker-1", "n1" };
static const struct token_claims old_cluster = { .pod = "agent-1", .pod_uid = "p1" };

static void check_place(const struct token_claims *claims, struct token_lookup lookup,
			enum token_reason want, const char *sentence)
{
	struct err err = ERR_INIT;

	assert_string_equal(token_reason_name(token_place(claims, &lookup, &err)),
			    token_reason_name(want));
	assert_string_equal(err.text, sentence);
}

static void pod_and_node_are_those_that_the_cluster_has(void **state)
{
	(void)state;
	check_place(&claimed, (struct token_lookup){ "p1", "worker-1", "n1" }, TOKEN_GOOD, "");
	check_place(&claimed, (struct token_lookup){ "p1", NULL, "n1" }, TOKEN_GOOD, "");
	check_place(&claimed, (struct token_lookup){ NULL, NULL, "n1" }, TOKEN_POD_GONE,
		    "pod agent-1 of the token is no more, or not known yet");
	check_place(&claimed, (struct token_lookup){ "p2", "worker-1", "n1" }, TOKEN_POD_GONE,
		    "pod agent-1 of the token is no more, or not known yet");
	check_place(&claimed, (struct token_lookup){ "p1", "worker-1", NULL }, TOKEN_NODE_UNKNOWN,
		    "there is no Node worker-1");
	check_place(&claimed, (struct token_lookup){ "p1", "worker-1", "n2" }, TOKEN_NODE_MISMATCH,
		    "Node worker-1 is another one than when the token was made");
	check_place(&claimed, (struct token_lookup){ "p1", "worker-2", "n1" }, TOKEN_NODE_MISMATCH,
		    "pod agent-1 is on node worker-2, the token says worker-1");
}

static void in_old_clusters_the_pod_tells_the_node(void **state)
{
	(void)state;
	assert_string_equal(token_node(&old_cluster, "worker-3"), "worker-3");
	assert_string_equal(token_node(&claimed, "worker-3"), "worker-1");
	assert_null(token_node(&old_cluster, NULL));
	check_place(&old_cluster, (struct token_lookup){ "p1", "worker-3", "n3" }, TOKEN_GOOD, "");
	check_place(&old_cluster, (struct token_lookup){ "p1", NULL, NULL }, TOKEN_NODE_UNKNOWN,
		    "there is no Node of the token's pod");
	check_place(&old_cluster, (struct token_lookup){ "p2", "worker-3", "n3" }, TOKEN_POD_GONE,
		    "pod agent-1 of the token is no more, or not known yet");
}

/* --- before --- */

static void check_token(const char *token, enum token_reason want, const char *sentence)
{
	struct err err = ERR_INIT;
	int64_t exp_s = -1;
	enum token_reason reason = token_precheck(token, AUDIENCE, 1000000, &exp_s, &err);

	assert_string_equal(token_reason_name(reason), token_reason_name(want));
	assert_string_equal(err.text, sentence);
	assert_int_equal(exp_s, reason == TOKEN_GOOD ? 1000500 : -1);
}

static void only_what_looks_like_a_pods_token_is_reviewed(void **state)
{
	static const char jwt[] = "the token is not a JSON Web Token";

	(void)state;
	/* {"aud":["rubato-controller"],"exp":1000500} */
	check_token("e30.eyJhdWQiOlsicnViYXRvLWNvbnRyb2xsZXIiXSwiZXhwIjoxMDAwNTAwfQ.c2ln",
		    TOKEN_GOOD, "");
	/* {"aud":"rubato-controller","exp":1000500} */
	check_token("e30.eyJhdWQiOiJydWJhdG8tY29udHJvbGxlciIsImV4cCI6MTAwMDUwMH0.c2ln", TOKEN_GOOD,
		    "");
	/* {"aud":["api"],"exp":1000500} */
	check_token("e30.eyJhdWQiOlsiYXBpIl0sImV4cCI6MTAwMDUwMH0.c2ln", TOKEN_AUDIENCE,
		    "the token is not for audience rubato-controller");
	/* {"aud":["rubato-controller"],"exp":999000} */
	check_token("e30.eyJhdWQiOlsicnViYXRvLWNvbnRyb2xsZXIiXSwiZXhwIjo5OTkwMDB9.c2ln",
		    TOKEN_EXPIRED, "the token has expired");
	check_token("", TOKEN_MISSING, "no token came along (the agent's --token-file)");
	check_token("a.b", TOKEN_MALFORMED, jwt);
	check_token("e30.e30", TOKEN_MALFORMED, jwt);
	check_token("e30.e30.", TOKEN_MALFORMED, jwt);
	check_token("e30..e30", TOKEN_MALFORMED, jwt);
	check_token("e30.e30.e30.e30", TOKEN_MALFORMED, jwt);
	check_token("e30.e+0.e30", TOKEN_MALFORMED, jwt);
	check_token("e30.e30.e30", TOKEN_MALFORMED, "the token does not say when it expires");
	check_token("e30.W10.e30", TOKEN_MALFORMED, "the token's payload is not a JSON object");
}

static void a_token_of_more_than_16_kib_is_not_looked_at(void **state)
{
	static char token[TOKEN_MAX_BYTES + 2];

	(void)state;
	memset(token, 'a', TOKEN_MAX_BYTES + 1);
	check_token(token, TOKEN_TOO_LONG, "the token is longer than 16 KiB");
}

static void the_request_asks_for_our_audience(void **state)
{
	char *body = token_review_request("a.b.c", AUDIENCE);

	(void)state;
	assert_string_equal(body, "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":"
				  "\"TokenReview\",\"spec\":{\"token\":\"a.b.c\",\"audiences\":"
				  "[\"rubato-controller\"]}}");
	free(body);
}

/* --- the cache --- */

static enum token_reason cached(struct token_cache *cache, const char *token, int64_t now_ns)
{
	uint8_t key[TOKEN_KEY_BYTES];
	const struct token_answer *answer;

	token_key(token, key);
	answer = token_cache_get(cache, key, now_ns);
	return answer ? answer->reason : TOKEN_REASON_NR;
}

static void keep(struct token_cache *cache, const char *token, enum token_reason reason,
		 int64_t expires_ns)
{
	const struct token_answer answer = { .reason = reason };
	uint8_t key[TOKEN_KEY_BYTES];

	token_key(token, key);
	token_cache_put(cache, key, &answer, expires_ns, 1);
}

static void an_answer_is_kept_for_a_minute_or_until_the_token_expires(void **state)
{
	struct token_cache *cache = token_cache_new();

	(void)state;
	keep(cache, "long", TOKEN_GOOD, INT64_MAX);
	keep(cache, "short", TOKEN_GOOD, 5);
	keep(cache, "over", TOKEN_GOOD, 1);
	keep(cache, "bad", TOKEN_USER, INT64_MAX);
	keep(cache, "nothing", TOKEN_UNAVAILABLE, INT64_MAX);
	assert_int_equal(cached(cache, "long", TOKEN_CACHE_GOOD_NS), TOKEN_GOOD);
	assert_int_equal(cached(cache, "long", TOKEN_CACHE_GOOD_NS + 1), TOKEN_REASON_NR);
	assert_int_equal(cached(cache, "short", 4), TOKEN_GOOD);
	assert_int_equal(cached(cache, "short", 5), TOKEN_REASON_NR);
	assert_int_equal(cached(cache, "over", 1), TOKEN_REASON_NR);
	assert_int_equal(cached(cache, "bad", TOKEN_CACHE_BAD_NS), TOKEN_USER);
	assert_int_equal(cached(cache, "bad", TOKEN_CACHE_BAD_NS + 1), TOKEN_REASON_NR);
	assert_int_equal(cached(cache, "nothing", 1), TOKEN_REASON_NR);
	assert_int_equal(cached(cache, "unheard", 1), TOKEN_REASON_NR);
	token_cache_free(cache);
}

static void a_later_answer_replaces_the_earlier_one(void **state)
{
	struct token_cache *cache = token_cache_new();

	(void)state;
	keep(cache, "t", TOKEN_GOOD, INT64_MAX);
	keep(cache, "t", TOKEN_REFUSED, INT64_MAX);
	assert_int_equal(cached(cache, "t", 2), TOKEN_REFUSED);
	keep(cache, "t", TOKEN_GOOD, INT64_MAX);
	assert_int_equal(cached(cache, "t", 2), TOKEN_GOOD);
	token_cache_free(cache);
}

static void garbage_displaces_nothing_good_and_is_bounded(void **state)
{
	struct token_cache *cache = token_cache_new();
	size_t kept = 0;
	char token[32];

	(void)state;
	keep(cache, "good", TOKEN_GOOD, INT64_MAX);
	for (int i = 0; i < 10000; i++) {
		snprintf(token, sizeof(token), "garbage-%d", i);
		keep(cache, token, TOKEN_REFUSED, INT64_MAX);
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(token, sizeof(token), "garbage-%d", i);
		kept += cached(cache, token, 2) == TOKEN_REFUSED;
	}
	assert_int_equal(cached(cache, "good", 2), TOKEN_GOOD);
	assert_int_equal(kept, TOKEN_CACHE_BAD);
	token_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_answer_gives_pod_and_node),
		cmocka_unit_test(who_is_not_authenticated_is_refused),
		cmocka_unit_test(a_token_for_somebody_else_is_refused),
		cmocka_unit_test(only_the_very_service_account_is_accepted),
		cmocka_unit_test(a_claim_has_exactly_one_value),
		cmocka_unit_test(a_token_not_bound_to_a_pod_is_refused),
		cmocka_unit_test(what_is_no_review_is_no_answer),
		cmocka_unit_test(pod_and_node_are_those_that_the_cluster_has),
		cmocka_unit_test(in_old_clusters_the_pod_tells_the_node),
		cmocka_unit_test(only_what_looks_like_a_pods_token_is_reviewed),
		cmocka_unit_test(a_token_of_more_than_16_kib_is_not_looked_at),
		cmocka_unit_test(the_request_asks_for_our_audience),
		cmocka_unit_test(an_answer_is_kept_for_a_minute_or_until_the_token_expires),
		cmocka_unit_test(a_later_answer_replaces_the_earlier_one),
		cmocka_unit_test(garbage_displaces_nothing_good_and_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
