/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_BOTH_AUTH_RIG_H
#define TESTS_UNIT_BOTH_AUTH_RIG_H

/* Agents that say by a token who they are, over real TLS, and a reviewer that does as it is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "controller/core/identity/token_review.h"
#include "lib/core/limits.h"
#include "tests/unit/both/raw.h"

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

static int start(void)
{
	int port = rig_start_hub_at(&rig, 0);

	assert_true(port > 0);
	assert_int_equal(rig_start_client(&rig, port), 0);
	return port;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
