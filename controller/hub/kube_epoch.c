/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/hub/kube_epoch.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "controller/core/object/fields.h"
#include "controller/core/session/lease.h"
#include "kube/http.h"
#include "kube/kubeconfig_load.h"
#include "lib/core/backoff.h"
#include "lib/log.h"
#include "lib/loop.h"

#define NS_MAX 63
#define FRESH_NS (1000 * NSEC_PER_MSEC) /* lease.h: LEASE_FRESH */

struct kube_epoch {
	struct kube_http *http;
	struct lease lease;
	char *ns, holder[HOST_NAME_MAX + 1];
	struct kube_call *call; /* NULL = none is under way */
	uv_timer_t timer;
	struct backoff backoff;
	struct err why, told; /* not yet */
	bool counted, ours;
	void (*had)(void *ctx);
	void *ctx;
};

static void on_answer(void *ctx, const struct kube_answer *answer);

static void ask(struct kube_epoch *epoch)
{
	struct lease_request question;

	lease_request(&epoch->lease, now_wall_ns(), &question);
	const struct kube_request request = {
		.method = question.method,
		.path = question.path,
		.body = question.body,
		.body_len = question.body ? strlen(question.body) : 0,
		.content_type = "application/json",
		.done = on_answer,
		.ctx = epoch,
	};

	epoch->call = kube_http_send(epoch->http, &request);
	lease_request_release(&question);
}

static void take(struct kube_epoch *epoch)
{
	epoch->ours = true;
	log_info("this start is counted", LOG_STR("lease", LEASE_NAME),
		 LOG_STR("namespace", epoch->ns), LOG_INT("epoch_t", epoch->lease.epoch.t),
		 LOG_INT("epoch_n", epoch->lease.epoch.n));
	epoch->had(epoch->ctx);
}

static void on_timer(uv_timer_t *timer)
{
	struct kube_epoch *epoch = timer->data;

	if (epoch->counted)
		take(epoch);
	else
		ask(epoch);
}

static void wait_for(struct kube_epoch *epoch, int64_t wait_ns)
{
	uv_update_time(epoch->timer.loop);
	uv_timer_start(&epoch->timer, on_timer, (uint64_t)(wait_ns / NSEC_PER_MSEC) + 1, 0);
}

static void on_trouble(struct kube_epoch *epoch)
{
	if (strcmp(epoch->told.text, epoch->why.text) != 0)
		log_error("no agent is let in before this start is counted, trying again",
			  LOG_ERR(&epoch->why));
	epoch->told = epoch->why;
	wait_for(epoch, backoff_next(&epoch->backoff, now_boot_ns(), random_u64()));
}

static int answered(struct kube_epoch *epoch, const struct kube_answer *answer)
{
	if (!answer->failure)
		return lease_answered(&epoch->lease, answer->code, answer->body, answer->len,
				      &epoch->why);
	epoch->why = answer->err;
	return err_wrap(&epoch->why, answer->failure, "Lease %s/" LEASE_NAME, epoch->ns);
}

static void on_answer(void *ctx, const struct kube_answer *answer)
{
	struct kube_epoch *epoch = ctx;
	int r = answered(epoch, answer);

	epoch->call = NULL;
	if (r < 0) {
		on_trouble(epoch);
		return;
	}
	epoch->counted = r != LEASE_GO_ON;
	if (r == LEASE_GO_ON)
		ask(epoch);
	else if (r == LEASE_FRESH)
		wait_for(epoch, FRESH_NS);
	else
		take(epoch);
}

int kube_epoch_new(uv_loop_t *loop, struct kube_http *http, void (*had)(void *ctx), void *ctx,
		   struct kube_epoch **ret_epoch, struct err *err)
{
	cleanup(freep) char *ns = kubeconfig_namespace(kube_http_config(http));
	struct kube_epoch *epoch;

	if (!name_valid(ns, NS_MAX, true))
		return err_set(err, -EINVAL, "our own namespace is \"%.100s\": not a name", ns);
	epoch = xcalloc(1, sizeof(*epoch));
	epoch->http = http;
	epoch->had = had;
	epoch->ctx = ctx;
	epoch->ns = TAKE_PTR(ns);
	if (gethostname(epoch->holder, sizeof(epoch->holder) - 1) < 0 ||
	    !name_valid(epoch->holder, HOST_NAME_MAX, false))
		strcpy(epoch->holder, LEASE_NAME);
	epoch->backoff = (struct backoff){ .base_ns = NSEC_PER_SEC, .cap_ns = 10 * NSEC_PER_SEC };
	err_set(&epoch->why, 0, "the Lease in which starts are counted is being asked for");
	lease_init(&epoch->lease, epoch->ns, epoch->holder);
	uv_timer_init(loop, &epoch->timer);
	epoch->timer.data = epoch;
	ask(epoch);
	*ret_epoch = epoch;
	return 0;
}

bool kube_epoch_get(const struct kube_epoch *epoch, struct control_epoch *ret)
{
	if (epoch->ours)
		*ret = epoch->lease.epoch;
	return epoch->ours;
}

bool kube_epoch_ok(const struct kube_epoch *epoch, struct err *ret_why)
{
	if (!epoch->ours)
		*ret_why = epoch->why;
	return epoch->ours;
}

static void on_closed(uv_handle_t *handle)
{
	struct kube_epoch *epoch = handle->data;

	lease_release(&epoch->lease);
	free(epoch->ns);
	free(epoch);
}

void kube_epoch_close(struct kube_epoch *epoch)
{
	if (!epoch)
		return;
	kube_call_cancel(epoch->call);
	uv_close((uv_handle_t *)&epoch->timer, on_closed);
}
