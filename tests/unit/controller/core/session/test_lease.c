/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "controller/core/session/lease.h"
#include "lib/core/text/json.h"

#define PATH "/apis/coordination.k8s.io/v1/namespaces/rubato-system/leases"
#define WALL_NS (1795232806LL * NSEC_PER_SEC + 12345678)
#define HOUR_AHEAD "2026-11-21T06:06:46.000000Z"

/* What the API server has: one Lease, or none, and its clock. */
struct cluster {
	json_t *lease; /* NULL = none */
	int64_t version;
	const char *now;
	int forbid_code; /* 0 = nothing is forbidden */
	const char *forbid_method;
};

static void set(json_t *object, const char *key, json_t *value)
{
	assert_int_equal(json_object_set_new(object, key, value), 0);
}

static json_t *metadata(const json_t *lease)
{
	return json_object_get(lease, "metadata");
}

/* Like the real one: the version of a PUT must be the current one. */
static void store(struct cluster *cluster, json_t *lease)
{
	cleanup(freep) char *version = xasprintf("%lld", (long long)++cluster->version);

	set(metadata(lease), "resourceVersion", json_string(version));
	json_decref(cluster->lease);
	cluster->lease = lease;
}

static int serve_post(struct cluster *cluster, const char *body)
{
	json_t *lease;

	if (cluster->lease)
		return 409;
	lease = json_loads(body, 0, NULL);
	assert_non_null(lease);
	assert_null(json_object_get(metadata(lease), "resourceVersion"));
	set(metadata(lease), "creationTimestamp", json_string(cluster->now));
	store(cluster, lease);
	return 201;
}

static int serve_put(struct cluster *cluster, const char *body)
{
	json_t *lease = json_loads(body, 0, NULL);
	int code = 200;

	assert_non_null(lease);
	if (!cluster->lease)
		code = 404;
	else if (!json_equal(json_object_get(metadata(lease), "resourceVersion"),
			     json_object_get(metadata(cluster->lease), "resourceVersion")))
		code = 409;
	if (code == 200)
		store(cluster, lease);
	else
		json_decref(lease);
	return code;
}

static int serve(struct cluster *cluster, const struct lease_request *request)
{
	bool named = strcmp(request->path, PATH "/rubato-controller") == 0;

	if (cluster->forbid_code && strcmp(cluster->forbid_method, request->method) == 0)
		return cluster->forbid_code;
	if (strcmp(request->method, "POST") == 0) {
		assert_string_equal(request->path, PATH);
		return serve_post(cluster, request->body);
	}
	assert_true(named);
	if (strcmp(request->method, "PUT") == 0)
		return serve_put(cluster, request->body);
	assert_string_equal(request->method, "GET");
	assert_null(request->body);
	return cluster->lease ? 200 : 404;
}

static int turn(struct lease *lease, struct cluster *cluster, struct err *err)
{
	struct lease_request request;
	cleanup(freep) char *body = NULL;
	int code;

	lease_request(lease, WALL_NS, &request);
	code = serve(cluster, &request);
	lease_request_release(&request);
	body = code == 200 || code == 201
		       ? json_dumps(cluster->lease, 0)
		       : xstrdup("{\"kind\":\"Status\",\"message\":\"because\"}");
	return lease_answered(lease, code, body, strlen(body), err);
}

static int start(struct cluster *cluster, struct control_epoch *ret)
{
	struct lease lease;
	struct err err = ERR_INIT;
	int r = LEASE_GO_ON;

	lease_init(&lease, "rubato-system", "rubato-controller-0");
	for (int i = 0; i < 5 && r == LEASE_GO_ON; i++)
		r = turn(&lease, cluster, &err);
	*ret = lease.epoch;
	lease_release(&lease);
	return r;
}

static void check_start(struct cluster *cluster, int want, int64_t t, int64_t n)
{
	struct control_epoch epoch;

	assert_int_equal(start(cluster, &epoch), want);
	assert_int_equal(epoch.t, t);
	assert_int_equal(epoch.n, n);
}

static json_t *spec(const struct cluster *cluster)
{
	return json_object_get(cluster->lease, "spec");
}

static void the_first_start_makes_the_lease_and_later_ones_count_in_it(void **state)
{
	struct cluster cluster = { .now = "2026-11-21T05:06:46Z" };

	(void)state;
	check_start(&cluster, LEASE_FRESH, 1795237606, 1);
	check_start(&cluster, LEASE_HELD, 1795237606, 2); /* in the same second */
	check_start(&cluster, LEASE_HELD, 1795237606, 3);
	assert_string_equal(json_string_value(json_object_get(spec(&cluster), "holderIdentity")),
			    "rubato-controller-0");
	assert_string_equal(json_string_value(json_object_get(spec(&cluster), "acquireTime")),
			    "2026-11-21T03:46:46.012345Z");
	json_decref(cluster.lease);
}

static void no_other_time_in_it_counts(void **state)
{
	struct cluster cluster = { .now = "2026-11-21T05:06:46Z" };

	(void)state;
	check_start(&cluster, LEASE_FRESH, 1795237606, 1);
	set(spec(&cluster), "acquireTime", json_string(HOUR_AHEAD));
	set(spec(&cluster), "renewTime", json_string(HOUR_AHEAD));
	check_start(&cluster, LEASE_HELD, 1795237606, 2);
	json_decref(cluster.lease);
}

static void a_lease_that_was_deleted_is_made_newer(void **state)
{
	struct cluster cluster = { .now = "2026-11-21T05:06:46Z" };

	(void)state;
	check_start(&cluster, LEASE_FRESH, 1795237606, 1);
	check_start(&cluster, LEASE_HELD, 1795237606, 2);
	json_decref(TAKE_PTR(cluster.lease));
	cluster.now = "2026-11-21T05:06:47Z";
	check_start(&cluster, LEASE_FRESH, 1795237607, 1);
	json_decref(cluster.lease);
}

static void what_else_is_in_it_stays(void **state)
{
	struct cluster cluster = { .now = "2026-11-21T05:06:46Z" };

	(void)state;
	check_start(&cluster, LEASE_FRESH, 1795237606, 1);
	set(spec(&cluster), "preferredHolder", json_string("another"));
	set(metadata(cluster.lease), "labels", json_pack("{ss}", "of", "ours"));
	check_start(&cluster, LEASE_HELD, 1795237606, 2);
	assert_string_equal(json_string_value(json_object_get(spec(&cluster), "preferredHolder")),
			    "another");
	assert_non_null(json_object_get(metadata(cluster.lease), "labels"));
	json_decref(cluster.lease);
}

/* Two that start at once: both are counted, neither has the other's number. */
static void a_conflict_is_counted_on(void **state)
{
	struct cluster cluster = { .now = "2026-11-21T05:06:46Z" };
	struct lease lease;
	struct err err = ERR_INIT;

	(void)state;
	lease_init(&lease, "rubato-system", "slow");
	assert_int_equal(turn(&lease, &cluster, &err), LEASE_GO_ON); /* it is not there */
	check_start(&cluster, LEASE_FRESH, 1795237606, 1);	     /* another makes it */
	assert_int_equal(turn(&lease, &cluster, &err), LEASE_GO_ON); /* 409 */
	assert_int_equal(turn(&lease, &cluster, &err), LEASE_GO_ON); /* it is there */
	check_start(&cluster, LEASE_HELD, 1795237606, 2);	     /* another counts */
	assert_int_equal(turn(&lease, &cluster, &err), LEASE_GO_ON); /* 409 */
	assert_int_equal(turn(&lease, &cluster, &err), LEASE_GO_ON);
	json_decref(TAKE_PTR(cluster.lease));			     /* another deletes it */
	assert_int_equal(turn(&lease, &cluster, &err), LEASE_GO_ON); /* 404 */
	cluster.now = "2026-11-21T05:06:49Z";
	assert_int_equal(turn(&lease, &cluster, &err), LEASE_GO_ON);
	assert_int_equal(turn(&lease, &cluster, &err), LEASE_FRESH);
	assert_int_equal(lease.epoch.t, 1795237609);
	lease_release(&lease);
	json_decref(cluster.lease);
}

static void check_forbidden(struct cluster *cluster, const char *method, int code, int r,
			    const char *sentence)
{
	struct lease lease;
	struct err err = ERR_INIT;
	int got = LEASE_GO_ON;

	cluster->forbid_code = code;
	cluster->forbid_method = method;
	lease_init(&lease, "rubato-system", "x");
	while (got == LEASE_GO_ON)
		got = turn(&lease, cluster, &err);
	assert_int_equal(got, r);
	assert_string_equal(err.text, sentence);
	/* And when it is allowed it goes on. */
	cluster->forbid_code = 0;
	for (got = LEASE_GO_ON; got == LEASE_GO_ON;)
		got = turn(&lease, cluster, &err);
	assert_true(got == LEASE_FRESH || got == LEASE_HELD);
	lease_release(&lease);
}

#define ROLE                                                                                       \
	"; a Role in namespace rubato-system must allow get, create and update of leases "         \
	"(coordination.k8s.io), see docs/cluster.md: because"

static void what_is_refused_is_said_with_the_remedy(void **state)
{
	struct cluster cluster = { .now = "2026-11-21T05:06:46Z" };

	(void)state;
	check_forbidden(&cluster, "GET", 403, -EACCES,
			"Lease rubato-system/rubato-controller: forbidden to get it" ROLE);
	json_decref(TAKE_PTR(cluster.lease));
	check_forbidden(&cluster, "POST", 403, -EACCES,
			"Lease rubato-system/rubato-controller: forbidden to create it" ROLE);
	check_forbidden(&cluster, "PUT", 403, -EACCES,
			"Lease rubato-system/rubato-controller: forbidden to update it" ROLE);
	check_forbidden(&cluster, "PUT", 500, -EIO,
			"Lease rubato-system/rubato-controller: update: HTTP 500: because");
	json_decref(TAKE_PTR(cluster.lease));
	check_forbidden(&cluster, "POST", 404, -EIO, /* no such namespace */
			"Lease rubato-system/rubato-controller: create: HTTP 404: because");
	json_decref(cluster.lease);
}

static void check_unusable(const char *body, const char *why)
{
	cleanup(freep) char *sentence = xasprintf(
		"Lease rubato-system/rubato-controller: starts cannot be counted in it (delete it, "
		"and the next one is newer): %s",
		why);
	struct lease lease;
	struct err err = ERR_INIT;

	lease_init(&lease, "rubato-system", "x");
	assert_int_equal(lease_answered(&lease, 200, body, strlen(body), &err), -EINVAL);
	assert_string_equal(err.text, sentence);
	assert_int_equal(lease.state, LEASE_LOOK);
	lease_release(&lease);
}

#define AT "{\"resourceVersion\":\"1\",\"creationTimestamp\":"
static void a_lease_that_cannot_be_counted_on_is_not_guessed_at(void **state)
{
	(void)state;
	check_unusable("{}", "metadata: resourceVersion: is missing");
	check_unusable("{\"metadata\":" AT "\"soon\"}}",
		       "metadata.creationTimestamp: \"soon\" is not a time");
	check_unusable("{\"metadata\":" AT "\"2026-11-21T05:06:46Z\"},"
		       "\"spec\":{\"leaseTransitions\":2147483647}}",
		       "spec: leaseTransitions: 2147483647 is not in 0..2147483646");
	check_unusable("{\"metadata\":" AT "\"2026-11-21T05:06:46Z\"},"
		       "\"spec\":{\"leaseTransitions\":\"7\"}}",
		       "spec: leaseTransitions: must be an integer");
}

/* As `kubectl create` makes one without anything in it. */
static void an_empty_lease_is_counted_from_nothing(void **state)
{
	struct cluster cluster = {
		.now = "",
		.lease = json_pack("{s{ssss}}", "metadata", "resourceVersion", "1",
				   "creationTimestamp", "2026-11-21T05:06:46Z"),
		.version = 1,
	};

	(void)state;
	check_start(&cluster, LEASE_HELD, 1795237606, 1);
	json_decref(cluster.lease);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_start_makes_the_lease_and_later_ones_count_in_it),
		cmocka_unit_test(no_other_time_in_it_counts),
		cmocka_unit_test(a_lease_that_was_deleted_is_made_newer),
		cmocka_unit_test(what_else_is_in_it_stays),
		cmocka_unit_test(a_conflict_is_counted_on),
		cmocka_unit_test(what_is_refused_is_said_with_the_remedy),
		cmocka_unit_test(a_lease_that_cannot_be_counted_on_is_not_guessed_at),
		cmocka_unit_test(an_empty_lease_is_counted_from_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
