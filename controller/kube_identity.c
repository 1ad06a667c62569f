/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/kube_identity.h"

#include <errno.h>
#include <string.h>

#include "controller/hub.h"
#include "controller/kube_http.h"
#include "controller/reconcile.h"
#include "controller/token_cache.h"
#include "controller/token_review.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/loop.h"

#define AGENT_ACCOUNT "rubato-agent"
#define HTTP_CREATED 201

/* A question that the API server has not answered yet. */
struct review {
	struct review *next;
	struct kube_identity *identity;
	struct hub_auth *auth;
	struct kube_call *call;
	uint8_t key[TOKEN_KEY_BYTES];
	int64_t expires_ns;
};

struct kube_identity {
	struct kube_http *http;
	const struct reconcile *reconcile;
	struct token_cache *cache;
	char *audience, *ns, *user;
	struct review *first;
	size_t review_nr;
	bool closed;
};

/* --- answers --- */

static void refuse(struct hub_auth *auth, enum token_reason reason, const struct err *why)
{
	const struct hub_identity nobody = { .reason = token_reason_name(reason),
					     .why = why->text };

	hub_auth_done(auth, &nobody);
}

/* The token is good; does the cluster as we know it agree? */
static void answer(const struct kube_identity *identity, struct hub_auth *auth,
		   const struct token_claims *claims, int64_t expires_ns)
{
	const struct object *pod =
		reconcile_find(identity->reconcile, OBJECT_POD, identity->ns, claims->pod);
	const char *pod_node = pod ? pod->pod.node : NULL;
	const char *node_name = token_node(claims, pod_node);
	const struct object *node =
		node_name ? reconcile_find(identity->reconcile, OBJECT_NODE, "", node_name) : NULL;
	const struct token_lookup lookup = {
		.pod_uid = pod ? pod->uid : NULL,
		.pod_node = pod_node,
		.node_uid = node ? node->uid : NULL,
	};
	struct hub_identity agent = { .pod_uid = claims->pod_uid, .expires_ns = expires_ns };
	struct err why = ERR_INIT;
	enum token_reason reason = token_place(claims, &lookup, &why);

	/* API servers take a token for a minute more; the hub would hang up at once. */
	if (reason == TOKEN_GOOD && expires_ns <= now_boot_ns()) {
		reason = TOKEN_EXPIRED;
		err_set(&why, -EACCES, "the token has expired");
	}
	if (reason != TOKEN_GOOD) {
		refuse(auth, reason, &why);
		return;
	}
	agent.node = node_name;
	hub_auth_done(auth, &agent);
}

/* --- reviews --- */

static void review_free(struct review *review)
{
	struct kube_identity *identity = review->identity;
	struct review **at = &identity->first;

	while (*at != review)
		at = &(*at)->next;
	*at = review->next;
	identity->review_nr--;
	free(review);
}

/* What the answer says of the token.  The answer repeats the token: nothing of it is quoted. */
static enum token_reason read_answer(const struct kube_identity *identity,
				     const struct kube_answer *answer, struct token_claims *claims,
				     struct err *why)
{
	const struct token_expect expect = { .audience = identity->audience,
					     .user = identity->user };

	if (answer->failure) {
		*why = answer->err;
		return TOKEN_UNAVAILABLE;
	}
	if (answer->code != HTTP_CREATED) {
		err_set(why, -EIO, "the API server does not review tokens for us: HTTP %d",
			answer->code);
		return TOKEN_UNAVAILABLE;
	}
	return token_review_read(answer->body, answer->len, &expect, claims, why);
}

static void on_reviewed(void *ctx, const struct kube_answer *said)
{
	struct review *review = ctx;
	struct kube_identity *identity = review->identity;
	struct hub_auth *auth = review->auth;
	int64_t expires_ns = review->expires_ns;
	struct token_answer found = { 0 };
	struct err why = ERR_INIT;

	found.reason = read_answer(identity, said, &found.claims, &why);
	token_cache_put(identity->cache, review->key, &found, expires_ns, now_boot_ns());
	review_free(review);
	if (found.reason == TOKEN_GOOD)
		answer(identity, auth, &found.claims, expires_ns);
	else
		refuse(auth, found.reason, &why);
}

static void begin_review(struct kube_identity *identity, struct hub_auth *auth, const char *token,
			 const uint8_t key[TOKEN_KEY_BYTES], int64_t expires_ns)
{
	char *body = token_review_request(token, identity->audience);
	struct review *review = xcalloc(1, sizeof(*review));
	const struct kube_request request = {
		.method = "POST",
		.path = TOKEN_REVIEW_PATH,
		.body = body,
		.body_len = strlen(body),
		.content_type = "application/json",
		.exempt = true,
		.done = on_reviewed,
		.ctx = review,
	};

	review->identity = identity;
	review->auth = auth;
	review->expires_ns = expires_ns;
	memcpy(review->key, key, sizeof(review->key));
	review->next = identity->first;
	identity->first = review;
	identity->review_nr++;
	review->call = kube_http_send(identity->http, &request);
	explicit_bzero(body, strlen(body));
	free(body);
}

/* The token may be good: known, or to be reviewed. */
static void look_up(struct kube_identity *identity, struct hub_auth *auth, const char *token,
		    int64_t expires_ns)
{
	uint8_t key[TOKEN_KEY_BYTES];
	const struct token_answer *known;
	struct err why = ERR_INIT;

	token_key(token, key);
	known = token_cache_get(identity->cache, key, now_boot_ns());
	if (known && known->reason == TOKEN_GOOD) {
		answer(identity, auth, &known->claims, expires_ns);
	} else if (known) {
		err_set(&why, -EACCES, "this very token was refused a moment ago");
		refuse(auth, known->reason, &why);
	} else if (identity->review_nr >= KUBE_REVIEWS_MAX) {
		err_set(&why, -EBUSY, "too many tokens are being reviewed, come again");
		refuse(auth, TOKEN_BUSY, &why);
	} else {
		begin_review(identity, auth, token, key, expires_ns);
	}
}

void kube_identity_ask(void *ctx, const char *token, const char *cert_name, struct hub_auth *auth)
{
	struct kube_identity *identity = ctx;
	int64_t wall_s = now_wall_ns() / NSEC_PER_SEC, exp_s = 0;
	struct err why = ERR_INIT;
	enum token_reason reason;

	(void)cert_name; /* it lets an agent in; who it is, the token says */
	if (identity->closed) {
		err_set(&why, -ESHUTDOWN, "the controller goes down");
		refuse(auth, TOKEN_UNAVAILABLE, &why);
		return;
	}
	reason = token_precheck(token, identity->audience, wall_s, &exp_s, &why);
	if (reason != TOKEN_GOOD) {
		refuse(auth, reason, &why);
		return;
	}
	/* No year that a forged token names may overflow; the API server has the last word anyway. */
	exp_s = MIN(exp_s, wall_s + 366LL * 24 * 3600);
	look_up(identity, auth, token, now_boot_ns() + (exp_s - wall_s) * NSEC_PER_SEC);
}

/* --- life --- */

static char *own_namespace(const struct kube_config *config)
{
	cleanup(freep) char *text = NULL;
	size_t len = 0;

	if (config->token_file && strcmp(config->token_file, KUBE_ACCOUNT_DIR "/token") == 0 &&
	    fs_read_file(KUBE_ACCOUNT_DIR "/namespace", LIMIT_NAME_BYTES, &text, &len, NULL) == 0 &&
	    strcspn(text, "\n") > 0)
		return xstrndup(text, strcspn(text, "\n"));
	return xstrdup(config->ns ? config->ns : "default");
}

static int set_account(struct kube_identity *identity, const char *account, struct err *err)
{
	const char *name = AGENT_ACCOUNT;

	if (account) {
		size_t len = strcspn(account, ":/");

		if (len == 0 || !account[len] || !account[len + 1])
			return err_set(err, -EINVAL,
				       "--agent-service-account: \"%s\" is not NAMESPACE:NAME",
				       account);
		identity->ns = xstrndup(account, len);
		name = account + len + 1;
	} else {
		identity->ns = own_namespace(kube_http_config(identity->http));
	}
	identity->user = xasprintf("system:serviceaccount:%s:%s", identity->ns, name);
	return 0;
}

int kube_identity_new(struct kube_http *http, const struct reconcile *reconcile,
		      const struct kube_identity_options *options,
		      struct kube_identity **ret_identity, struct err *err)
{
	struct kube_identity *identity = xcalloc(1, sizeof(*identity));
	int r;

	identity->http = http;
	identity->reconcile = reconcile;
	identity->cache = token_cache_new();
	identity->audience = xstrdup(options->audience);
	r = set_account(identity, options->account, err);
	if (r < 0) {
		kube_identity_free(identity);
		return r;
	}
	log_info("agents are known by their tokens", LOG_STR("user", identity->user),
		 LOG_STR("audience", identity->audience));
	*ret_identity = identity;
	return 0;
}

void kube_identity_close(struct kube_identity *identity)
{
	struct err why = ERR_INIT;

	if (!identity || identity->closed)
		return;
	identity->closed = true;
	err_set(&why, -ESHUTDOWN, "the controller goes down");
	while (identity->first) {
		struct review *review = identity->first;
		struct hub_auth *auth = review->auth;

		identity->first = review->next;
		identity->review_nr--;
		kube_call_cancel(review->call);
		free(review);
		refuse(auth, TOKEN_UNAVAILABLE, &why);
	}
}

void kube_identity_free(struct kube_identity *identity)
{
	if (!identity)
		return;
	token_cache_free(identity->cache);
	free(identity->audience);
	free(identity->ns);
	free(identity->user);
	free(identity);
}
