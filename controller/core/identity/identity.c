/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/identity/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/store/store.h"

#define HTTP_CREATED 201
#define LIFE_MAX_S (366LL * 24 * 3600)

struct identity {
	const struct store *store;
	struct token_cache *cache;
	char *audience, *ns, *user;
	struct identity_question *first;
	size_t waiting_nr, review_nr;
};

void identity_refuse(struct identity_verdict *verdict, enum token_reason reason, const char *why)
{
	*verdict = (struct identity_verdict){ .reason = reason };
	err_set(&verdict->why, -EACCES, "%s", why);
}

/* --- what is known --- */

/* The token is good; does the cluster as we know it agree? */
static void place(const struct identity *identity, const struct token_claims *claims,
		  int64_t expires_ns, int64_t now_ns, struct identity_verdict *ret)
{
	const struct object *pod =
		store_find(identity->store, OBJECT_POD, identity->ns, claims->pod);
	const char *pod_node = pod ? pod->pod.node : NULL;
	const char *node_name = token_node(claims, pod_node);
	const struct object *node =
		node_name ? store_find(identity->store, OBJECT_NODE, "", node_name) : NULL;
	const struct token_lookup lookup = {
		.pod_uid = pod ? pod->uid : NULL,
		.pod_node = pod_node,
		.node_uid = node ? node->uid : NULL,
	};

	*ret = (struct identity_verdict){ .expires_ns = expires_ns };
	ret->reason = token_place(claims, &lookup, &ret->why);
	if (ret->reason != TOKEN_GOOD)
		return;
	/* API servers take a token for a minute more; the hub would hang up at once. */
	if (expires_ns <= now_ns) {
		identity_refuse(ret, TOKEN_EXPIRED, "the token has expired");
		return;
	}
	snprintf(ret->node, sizeof(ret->node), "%s", node_name);
	snprintf(ret->pod_uid, sizeof(ret->pod_uid), "%s", claims->pod_uid);
}

static bool look_up(struct identity *identity, const uint8_t key[TOKEN_KEY_BYTES],
		    int64_t expires_ns, int64_t now_ns, struct identity_verdict *ret)
{
	const struct token_answer *known = token_cache_get(identity->cache, key, now_ns);

	if (known && known->reason == TOKEN_GOOD)
		place(identity, &known->claims, expires_ns, now_ns, ret);
	else if (known)
		identity_refuse(ret, known->reason, "this very token was refused a moment ago");
	return known != NULL;
}

bool identity_known(struct identity *identity, const struct identity_question *question,
		    int64_t now_boot_ns, struct identity_verdict *ret_verdict)
{
	return look_up(identity, question->key, question->expires_ns, now_boot_ns, ret_verdict);
}

/* --- questions --- */

static struct identity_question *add(struct identity *identity, const char *token, void *asker)
{
	struct identity_question *question = xcalloc(1, sizeof(*question));
	struct identity_question **at = &identity->first;

	question->asker = asker;
	question->token = xstrdup(token);
	while (*at)
		at = &(*at)->next;
	*at = question;
	identity->waiting_nr++;
	return question;
}

struct identity_question *identity_ask(struct identity *identity, const char *token, void *asker,
				       const struct identity_now *now,
				       struct identity_verdict *ret_verdict)
{
	int64_t wall_s = now->wall_ns / NSEC_PER_SEC, exp_s = 0, expires_ns;
	struct identity_question *question;
	struct err why = ERR_INIT;
	enum token_reason reason = token_precheck(token, identity->audience, wall_s, &exp_s, &why);
	uint8_t key[TOKEN_KEY_BYTES];

	if (reason != TOKEN_GOOD) {
		identity_refuse(ret_verdict, reason, why.text);
		return NULL;
	}
	/* No year that a forged token names may overflow; the API server has the last word anyway. */
	expires_ns = now->boot_ns + (MIN(exp_s, wall_s + LIFE_MAX_S) - wall_s) * NSEC_PER_SEC;
	token_key(token, key);
	if (look_up(identity, key, expires_ns, now->boot_ns, ret_verdict))
		return NULL;
	if (identity->waiting_nr >= IDENTITY_WAITING_MAX) {
		identity_refuse(ret_verdict, TOKEN_BUSY,
				"too many tokens wait for their review, come again");
		return NULL;
	}
	question = add(identity, token, asker);
	memcpy(question->key, key, sizeof(key));
	question->expires_ns = expires_ns;
	return question;
}

struct identity_question *identity_next(const struct identity *identity)
{
	struct identity_question *question = identity->first;

	if (identity->review_nr >= IDENTITY_REVIEWS_MAX)
		return NULL;
	while (question && !question->token)
		question = question->next;
	return question;
}

static void wipe_token(struct identity_question *question)
{
	if (question->token)
		explicit_bzero(question->token, strlen(question->token));
	free(TAKE_PTR(question->token));
}

char *identity_request(struct identity *identity, struct identity_question *question)
{
	char *body = token_review_request(question->token, identity->audience);

	wipe_token(question);
	identity->waiting_nr--;
	identity->review_nr++;
	return body;
}

struct identity_question *identity_first(const struct identity *identity)
{
	return identity->first;
}

void identity_drop(struct identity *identity, struct identity_question *question)
{
	struct identity_question **at = &identity->first;

	while (*at != question)
		at = &(*at)->next;
	*at = question->next;
	if (question->token)
		identity->waiting_nr--;
	else
		identity->review_nr--;
	wipe_token(question);
	free(question);
}

/* --- answers --- */

/* What the answer says of the token.  The answer repeats the token: nothing of it is quoted. */
static enum token_reason read_answer(const struct identity *identity,
				     const struct identity_answer *answer,
				     struct token_claims *claims, struct err *why)
{
	const struct token_expect expect = { .audience = identity->audience,
					     .user = identity->user };

	if (!answer->code) {
		*why = *answer->why;
		return TOKEN_UNAVAILABLE;
	}
	if (answer->code != HTTP_CREATED) {
		err_set(why, -EIO, "the API server does not review tokens for us: HTTP %d",
			answer->code);
		return TOKEN_UNAVAILABLE;
	}
	return token_review_read(answer->body, answer->len, &expect, claims, why);
}

void identity_reviewed(struct identity *identity, const struct identity_question *question,
		       const struct identity_answer *answer, int64_t now_boot_ns,
		       struct identity_verdict *ret_verdict)
{
	struct token_answer found = { 0 };
	struct err why = ERR_INIT;

	found.reason = read_answer(identity, answer, &found.claims, &why);
	token_cache_put(identity->cache, question->key, &found, question->expires_ns, now_boot_ns);
	if (found.reason == TOKEN_GOOD)
		place(identity, &found.claims, question->expires_ns, now_boot_ns, ret_verdict);
	else
		identity_refuse(ret_verdict, found.reason, why.text);
}

/* --- life --- */

struct identity *identity_new(const struct store *store, const char *audience, const char *ns,
			      const char *user)
{
	struct identity *identity = xcalloc(1, sizeof(*identity));

	identity->store = store;
	identity->cache = token_cache_new();
	identity->audience = xstrdup(audience);
	identity->ns = xstrdup(ns);
	identity->user = xstrdup(user);
	return identity;
}

void identity_free(struct identity *identity)
{
	if (!identity)
		return;
	while (identity->first)
		identity_drop(identity, identity->first);
	token_cache_free(identity->cache);
	free(identity->audience);
	free(identity->ns);
	free(identity->user);
	free(identity);
}
