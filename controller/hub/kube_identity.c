/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/hub/kube_identity.h"

#include <errno.h>
#include <string.h>

#include "controller/core/identity/identity.h"
#include "controller/hub/hub.h"
#include "kube/http.h"
#include "kube/kubeconfig_load.h"
#include "lib/log.h"
#include "lib/loop.h"

#define AGENT_ACCOUNT "rubato-agent"
#define GOING_DOWN "the controller goes down"

struct kube_identity {
	struct kube_http *http;
	struct identity *identity;
	bool closed;
};

/* An agent that waits for the answer to its question. */
struct waiter {
	struct kube_identity *kube;
	struct hub_auth *auth;
	struct identity_question *question;
	struct kube_call *call; /* NULL = its turn has not come */
};

static void tell(struct hub_auth *auth, const struct identity_verdict *verdict)
{
	bool good = verdict->reason == TOKEN_GOOD;
	const struct hub_identity agent = {
		.node = good ? verdict->node : NULL,
		.pod_uid = verdict->pod_uid,
		.expires_ns = verdict->expires_ns,
		.reason = token_reason_name(verdict->reason),
		.why = verdict->why.text,
	};

	hub_auth_done(auth, &agent);
}

/* The waiter is void afterwards. */
static void tell_waiter(struct waiter *waiter, const struct identity_verdict *verdict)
{
	struct hub_auth *auth = waiter->auth;

	identity_drop(waiter->kube->identity, waiter->question);
	free(waiter);
	tell(auth, verdict);
}

static void refuse_waiter(struct waiter *waiter, const char *why)
{
	struct identity_verdict verdict;

	identity_refuse(&verdict, TOKEN_UNAVAILABLE, why);
	tell_waiter(waiter, &verdict);
}

static void on_reviewed(void *ctx, const struct kube_answer *said);

static void send_review(struct waiter *waiter)
{
	cleanup(freep) char *body = identity_request(waiter->kube->identity, waiter->question);
	const struct kube_request request = {
		.method = "POST",
		.path = TOKEN_REVIEW_PATH,
		.body = body,
		.body_len = strlen(body),
		.content_type = "application/json",
		.exempt = true,
		.done = on_reviewed,
		.ctx = waiter,
	};

	waiter->call = kube_http_send(waiter->kube->http, &request);
	explicit_bzero(body, strlen(body));
}

/* Whoever's turn it is. */
static void go_on(struct kube_identity *kube)
{
	struct identity_question *question;
	struct identity_verdict verdict;

	while (!kube->closed && (question = identity_next(kube->identity))) {
		struct waiter *waiter = question->asker;

		if (!hub_auth_wanted(waiter->auth))
			refuse_waiter(waiter, "the agent is gone");
		else if (identity_known(kube->identity, question, now_boot_ns(), &verdict))
			tell_waiter(waiter, &verdict);
		else
			send_review(waiter);
	}
}

static void on_reviewed(void *ctx, const struct kube_answer *said)
{
	struct waiter *waiter = ctx;
	struct kube_identity *kube = waiter->kube;
	const struct identity_answer answer = {
		.code = said->failure ? 0 : said->code,
		.why = &said->err,
		.body = said->body,
		.len = said->len,
	};
	struct identity_verdict verdict;

	identity_reviewed(kube->identity, waiter->question, &answer, now_boot_ns(), &verdict);
	tell_waiter(waiter, &verdict);
	go_on(kube);
}

/* Agents that gave up do not take the places of those who wait. */
static void drop_unwanted(struct kube_identity *kube)
{
	struct identity_question *next;

	for (struct identity_question *q = identity_first(kube->identity); q; q = next) {
		struct waiter *waiter = q->asker;

		next = q->next;
		if (!waiter->call && !hub_auth_wanted(waiter->auth))
			refuse_waiter(waiter, "the agent is gone");
	}
}

void kube_identity_ask(void *ctx, const char *token, const char *cert_name, struct hub_auth *auth)
{
	struct kube_identity *kube = ctx;
	const struct identity_now now = { .boot_ns = now_boot_ns(), .wall_ns = now_wall_ns() };
	struct identity_verdict verdict;
	struct waiter *waiter;

	(void)cert_name; /* it lets an agent in; who it is, the token says */
	if (kube->closed) {
		identity_refuse(&verdict, TOKEN_UNAVAILABLE, GOING_DOWN);
		tell(auth, &verdict);
		return;
	}
	drop_unwanted(kube);
	waiter = xcalloc(1, sizeof(*waiter));
	waiter->kube = kube;
	waiter->auth = auth;
	waiter->question = identity_ask(kube->identity, token, waiter, &now, &verdict);
	if (!waiter->question) {
		free(waiter);
		tell(auth, &verdict);
		return;
	}
	go_on(kube);
}

/* --- life --- */

/* "NS:NAME", "NS/NAME" or NULL -> the namespace, and the name within `account`. */
static int read_account(const struct kube_config *config, const char *account, char **ret_ns,
			const char **ret_name, struct err *err)
{
	size_t len = account ? strcspn(account, ":/") : 0;

	if (!account) {
		*ret_ns = kubeconfig_namespace(config);
		*ret_name = AGENT_ACCOUNT;
		return 0;
	}
	if (len == 0 || !account[len] || !account[len + 1])
		return err_set(err, -EINVAL,
			       "--agent-service-account: \"%s\" is not NAMESPACE:NAME", account);
	*ret_ns = xstrndup(account, len);
	*ret_name = account + len + 1;
	return 0;
}

int kube_identity_new(struct kube_http *http, const struct store *store,
		      const struct kube_identity_options *options, struct kube_identity **ret_kube,
		      struct err *err)
{
	cleanup(freep) char *ns = NULL, *user = NULL;
	const char *name;
	struct kube_identity *kube;
	int r = read_account(kube_http_config(http), options->account, &ns, &name, err);

	if (r < 0)
		return r;
	user = xasprintf("system:serviceaccount:%s:%s", ns, name);
	kube = xcalloc(1, sizeof(*kube));
	kube->http = http;
	kube->identity = identity_new(store, options->audience, ns, user);
	log_info("agents are known by their tokens", LOG_STR("user", user),
		 LOG_STR("audience", options->audience));
	*ret_kube = kube;
	return 0;
}

void kube_identity_close(struct kube_identity *kube)
{
	struct identity_question *question;

	if (!kube || kube->closed)
		return;
	kube->closed = true;
	while ((question = identity_first(kube->identity))) {
		struct waiter *waiter = question->asker;

		kube_call_cancel(waiter->call);
		refuse_waiter(waiter, GOING_DOWN);
	}
}

void kube_identity_free(struct kube_identity *kube)
{
	if (!kube)
		return;
	identity_free(kube->identity);
	free(kube);
}
