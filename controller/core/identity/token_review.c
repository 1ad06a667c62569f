/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/identity/token_review.h"

#include <errno.h>
#include <string.h>

#include "kube/core/config/jwt.h"
#include "lib/core/text/json.h"

#define DEPTH_MAX 16
#define AUDIENCES_MAX 64
#define SKEW_S 60 /* the API server's clock decides, ours only sheds load */
#define EXTRA "authentication.kubernetes.io/"

const char *token_reason_name(enum token_reason reason)
{
	static const char *const name[TOKEN_REASON_NR] = {
		[TOKEN_GOOD] = "good",
		[TOKEN_MISSING] = "missing",
		[TOKEN_TOO_LONG] = "too_long",
		[TOKEN_MALFORMED] = "malformed",
		[TOKEN_EXPIRED] = "expired",
		[TOKEN_AUDIENCE] = "audience",
		[TOKEN_REFUSED] = "refused",
		[TOKEN_USER] = "user",
		[TOKEN_UNBOUND] = "unbound",
		[TOKEN_AMBIGUOUS] = "ambiguous",
		[TOKEN_POD_GONE] = "pod_gone",
		[TOKEN_NODE_UNKNOWN] = "node_unknown",
		[TOKEN_NODE_MISMATCH] = "node_mismatch",
		[TOKEN_UNAVAILABLE] = "unavailable",
		[TOKEN_BUSY] = "busy",
	};

	return name[reason];
}

static enum token_reason no(enum token_reason reason, struct err *err, const char *why)
{
	err_set(err, -EACCES, "%s", why);
	return reason;
}

/* --- before the review --- */

enum token_reason token_precheck(const char *token, const char *audience, int64_t now_wall_s,
				 int64_t *ret_exp_wall_s, struct err *err)
{
	size_t len = strnlen(token, TOKEN_MAX_BYTES + 1);
	struct jwt_peek peek;

	if (len == 0)
		return no(TOKEN_MISSING, err, "no token came along (the agent's --token-file)");
	if (len > TOKEN_MAX_BYTES)
		return no(TOKEN_TOO_LONG, err, "the token is longer than 16 KiB");
	if (jwt_peek(token, len, audience, &peek, err) < 0)
		return TOKEN_MALFORMED;
	if (!peek.has_audience) {
		err_set(err, -EACCES, "the token is not for audience %s", audience);
		return TOKEN_AUDIENCE;
	}
	if (peek.exp_wall_s < now_wall_s - SKEW_S)
		return no(TOKEN_EXPIRED, err, "the token has expired");
	*ret_exp_wall_s = peek.exp_wall_s;
	return TOKEN_GOOD;
}

char *token_review_request(const char *token, const char *audience)
{
	json_auto_t *review = json_must(json_pack("{s:s, s:s, s:{s:s, s:[s]}}", "apiVersion",
						  "authentication.k8s.io/v1", "kind", "TokenReview",
						  "spec", "token", token, "audiences", audience));
	char *body = json_dumps(review, JSON_COMPACT);

	if (!body)
		abort();
	return body;
}

/* --- what the API server says --- */

/* Empty means that whoever verified the token knows nothing of audiences: then it is not for us. */
static bool has_audience(const json_t *status, const char *audience)
{
	const json_t *list = json_object_get(status, "audiences"), *item;
	size_t i;

	if (json_array_size(list) > AUDIENCES_MAX)
		return false;
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		if (text && json_string_length(item) == strlen(text) && strcmp(text, audience) == 0)
			return true;
	}
	return false;
}

static bool is_word(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-",
			    text[i]) ||
		    !text[i])
			return false;
	return len > 0;
}

/* One claim of user.extra into `room`; absent is "".  False unless it has exactly one value. */
static bool read_claim(const json_t *extra, const char *key, char *room, size_t size)
{
	const json_t *list = json_object_get(extra, key);
	const json_t *value = json_array_get(list, 0);
	const char *text = json_string_value(value);

	room[0] = '\0';
	if (!list)
		return true;
	if (json_array_size(list) != 1 || !text || json_string_length(value) >= size ||
	    !is_word(text, json_string_length(value)))
		return false;
	memcpy(room, text, json_string_length(value) + 1);
	return true;
}

static enum token_reason read_claims(const json_t *extra, struct token_claims *claims,
				     struct err *err)
{
	if (!read_claim(extra, EXTRA "pod-name", claims->pod, sizeof(claims->pod)) ||
	    !read_claim(extra, EXTRA "pod-uid", claims->pod_uid, sizeof(claims->pod_uid)) ||
	    !read_claim(extra, EXTRA "node-name", claims->node, sizeof(claims->node)) ||
	    !read_claim(extra, EXTRA "node-uid", claims->node_uid, sizeof(claims->node_uid)))
		return no(TOKEN_AMBIGUOUS, err,
			  "the token's pod or node has not exactly one value");
	if (!claims->pod[0] || !claims->pod_uid[0])
		return no(TOKEN_UNBOUND, err, "the token is not bound to a pod");
	return TOKEN_GOOD;
}

static enum token_reason read_status(const json_t *status, const struct token_expect *expect,
				     struct token_claims *claims, struct err *err)
{
	const json_t *user = json_object_get(status, "user");
	const json_t *error = json_object_get(status, "error");
	const json_t *name = json_object_get(user, "username");
	bool has_error = error && !json_is_null(error) &&
			 !(json_is_string(error) && json_string_length(error) == 0);

	if (!json_is_true(json_object_get(status, "authenticated")) || has_error)
		return no(TOKEN_REFUSED, err, "the API server does not accept the token");
	if (!has_audience(status, expect->audience)) {
		err_set(err, -EACCES, "the API server does not say that the token is for %s",
			expect->audience);
		return TOKEN_AUDIENCE;
	}
	if (!json_is_string(name) || json_string_length(name) != strlen(expect->user) ||
	    strcmp(json_string_value(name), expect->user) != 0) {
		err_set(err, -EACCES, "the token is not that of %s", expect->user);
		return TOKEN_USER;
	}
	return read_claims(json_object_get(user, "extra"), claims, err);
}

enum token_reason token_review_read(const char *body, size_t len, const struct token_expect *expect,
				    struct token_claims *ret_claims, struct err *err)
{
	struct token_claims claims = { 0 };
	json_auto_t *review = NULL;
	enum token_reason reason;

	/* The sentence of the parser could show a piece of the token, which the answer repeats. */
	if (len > TOKEN_REVIEW_MAX_BYTES ||
	    json_parse_bounded(body, len, DEPTH_MAX, &review, NULL) < 0 ||
	    !json_is_object(json_object_get(review, "status")))
		return no(TOKEN_UNAVAILABLE, err, "the API server's answer is not a TokenReview");
	reason = read_status(json_object_get(review, "status"), expect, &claims, err);
	if (reason == TOKEN_GOOD)
		*ret_claims = claims;
	return reason;
}

/* --- what the cluster says --- */

const char *token_node(const struct token_claims *claims, const char *pod_node)
{
	if (claims->node[0])
		return claims->node;
	return pod_node && pod_node[0] ? pod_node : NULL;
}

enum token_reason token_place(const struct token_claims *claims, const struct token_lookup *lookup,
			      struct err *err)
{
	const char *node = token_node(claims, lookup->pod_node);

	if (!lookup->pod_uid || strcmp(lookup->pod_uid, claims->pod_uid) != 0) {
		err_set(err, -EACCES, "pod %s of the token is no more, or not known yet",
			claims->pod);
		return TOKEN_POD_GONE;
	}
	if (!node || !lookup->node_uid) {
		err_set(err, -EACCES, "there is no Node %s", node ? node : "of the token's pod");
		return TOKEN_NODE_UNKNOWN;
	}
	if (lookup->pod_node && lookup->pod_node[0] && strcmp(lookup->pod_node, node) != 0) {
		err_set(err, -EACCES, "pod %s is on node %s, the token says %s", claims->pod,
			lookup->pod_node, node);
		return TOKEN_NODE_MISMATCH;
	}
	if (claims->node_uid[0] && strcmp(lookup->node_uid, claims->node_uid) != 0) {
		err_set(err, -EACCES, "Node %s is another one than when the token was made", node);
		return TOKEN_NODE_MISMATCH;
	}
	return TOKEN_GOOD;
}
