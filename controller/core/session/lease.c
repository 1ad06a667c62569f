/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/session/lease.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/text/json.h"
#include "lib/core/text/rfc3339.h"

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/%s/leases"
#define TIME_MAX 40
#define REMEDY "delete it, and the next one is newer"

void lease_init(struct lease *lease, const char *ns, const char *holder)
{
	*lease = (struct lease){ .ns = ns, .holder = holder };
}

void lease_release(struct lease *lease)
{
	json_decref(TAKE_PTR(lease->found));
}

/* --- asking --- */

/* As a MicroTime: six digits, always. */
static void format_time(int64_t wall_ns, char out[TIME_MAX])
{
	char seconds[RFC3339_MAX];

	rfc3339_format(wall_ns / NSEC_PER_SEC, seconds);
	snprintf(out, TIME_MAX, "%.*s.%06uZ", (int)strcspn(seconds, "Z"), seconds,
		 (unsigned)(wall_ns % NSEC_PER_SEC / 1000) % 1000000);
}

static void set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, json_must(value)) < 0)
		abort();
}

/* What else is in `spec` stays. */
static void count(json_t *spec, const struct lease *lease, int64_t n, int64_t wall_ns)
{
	char now[TIME_MAX];

	format_time(wall_ns, now);
	set(spec, "holderIdentity", json_string(lease->holder));
	set(spec, "leaseTransitions", json_integer(n));
	set(spec, "acquireTime", json_string(now));
	set(spec, "renewTime", json_string(now));
}

static json_t *body_of(const struct lease *lease, int64_t wall_ns)
{
	json_t *body = lease->state == LEASE_COUNT
			       ? json_deep_copy(lease->found)
			       : json_pack("{sssss{ssss}s{}}", "apiVersion",
					   "coordination.k8s.io/v1", "kind", "Lease", "metadata",
					   "name", LEASE_NAME, "namespace", lease->ns, "spec");
	int64_t n = lease->state == LEASE_COUNT ? lease->epoch.n : 1;

	json_must(body);
	if (!json_is_object(json_object_get(body, "spec")))
		set(body, "spec", json_object());
	count(json_object_get(body, "spec"), lease, n, wall_ns);
	return body;
}

void lease_request(const struct lease *lease, int64_t wall_ns, struct lease_request *ret)
{
	static const char *const method[] = {
		[LEASE_LOOK] = "GET", [LEASE_MAKE] = "POST", [LEASE_COUNT] = "PUT"
	};
	json_auto_t *body = lease->state == LEASE_LOOK ? NULL : body_of(lease, wall_ns);

	ret->method = method[lease->state];
	ret->path = lease->state == LEASE_MAKE ? xasprintf(LEASES, lease->ns)
					       : xasprintf(LEASES "/" LEASE_NAME, lease->ns);
	ret->body = body ? json_dumps(body, JSON_COMPACT) : NULL;
	if (body && !ret->body)
		abort();
}

void lease_request_release(struct lease_request *request)
{
	free(request->path);
	free(request->body);
	*request = (struct lease_request){ 0 };
}

/* --- the answer --- */

static int read_creation(const json_t *object, int64_t *ret_t, struct err *err)
{
	const json_t *metadata = json_object_get(object, "metadata");
	const char *created, *version;
	int64_t t;

	if (json_get_name(metadata, "resourceVersion", LIMIT_NAME_BYTES, &version, err) < 0 ||
	    json_get_name(metadata, "creationTimestamp", RFC3339_MAX, &created, err) < 0)
		return err_wrap(err, -EINVAL, "metadata");
	if (rfc3339_parse(created, &t) < 0 || t <= 0)
		return err_set(err, -EINVAL, "metadata.creationTimestamp: \"%s\" is not a time",
			       created);
	*ret_t = t;
	return 0;
}

static int read_transitions(const json_t *object, int64_t *ret_n, struct err *err)
{
	const json_t *spec = json_object_get(object, "spec");
	const json_t *transitions = json_object_get(spec, "leaseTransitions");

	if (!transitions || json_is_null(transitions)) {
		*ret_n = 0;
		return 0;
	}
	if (json_get_int(spec, "leaseTransitions", 0, INT32_MAX - 1, ret_n, err) < 0)
		return err_wrap(err, -EINVAL, "spec");
	return 0;
}

static int read_lease(const char *body, size_t len, struct control_epoch *ret, json_t **ret_object,
		      struct err *err)
{
	json_auto_t *object = NULL;
	struct control_epoch epoch;

	if (json_parse_bounded(body, len, LIMIT_KUBE_OBJECT_DEPTH, &object, err) < 0)
		return -EINVAL;
	if (read_creation(object, &epoch.t, err) < 0 || read_transitions(object, &epoch.n, err) < 0)
		return -EINVAL;
	*ret = epoch;
	*ret_object = TAKE_PTR(object);
	return 0;
}

/* The message of a Status, or nothing. */
static void message_of(const char *body, size_t len, char *out, size_t size)
{
	json_auto_t *status = NULL;
	const char *message;

	out[0] = '\0';
	if (json_parse_bounded(body, len, LIMIT_JSON_DEPTH, &status, NULL) == 0 &&
	    json_get_name(status, "message", size - 3, &message, NULL) == 0)
		snprintf(out, size, ": %s", message);
}

static int refused(const struct lease *lease, int code, const char *body, size_t len,
		   struct err *err)
{
	static const char *const verb[] = {
		[LEASE_LOOK] = "get", [LEASE_MAKE] = "create", [LEASE_COUNT] = "update"
	};
	char message[256];

	message_of(body, len, message, sizeof(message));
	if (code == 403)
		return err_set(
			err, -EACCES,
			"Lease %s/" LEASE_NAME
			": forbidden to %s it; a Role in namespace %s must allow get, create "
			"and update of leases (coordination.k8s.io), see docs/cluster.md%s",
			lease->ns, verb[lease->state], lease->ns, message);
	return err_set(err, -EIO, "Lease %s/" LEASE_NAME ": %s: HTTP %d%s", lease->ns,
		       verb[lease->state], code, message);
}

static int unusable(struct lease *lease, struct err *err)
{
	char why[ERR_TEXT_MAX];

	snprintf(why, sizeof(why), "%s", err->text);
	return err_set(err, -EINVAL,
		       "Lease %s/" LEASE_NAME ": starts cannot be counted in it (" REMEDY "): %s",
		       lease->ns, why);
}

/* It is there: the next request counts on it. */
static int found(struct lease *lease, const char *body, size_t len, struct err *err)
{
	struct control_epoch epoch;

	if (read_lease(body, len, &epoch, &lease->found, err) < 0)
		return unusable(lease, err);
	lease->epoch = epoch;
	lease->epoch.n++;
	lease->state = LEASE_COUNT;
	return LEASE_GO_ON;
}

static int made(struct lease *lease, const char *body, size_t len, struct err *err)
{
	json_auto_t *object = NULL;

	if (read_lease(body, len, &lease->epoch, &object, err) < 0)
		return unusable(lease, err);
	return LEASE_FRESH;
}

int lease_answered(struct lease *lease, int code, const char *body, size_t len, struct err *err)
{
	int state = lease->state;

	lease_release(lease);
	lease->state = LEASE_LOOK;
	if (state == LEASE_LOOK && code == 200)
		return found(lease, body, len, err);
	if (state == LEASE_LOOK && code == 404) {
		lease->state = LEASE_MAKE;
		return LEASE_GO_ON;
	}
	if (state == LEASE_MAKE && code == 201)
		return made(lease, body, len, err);
	if (state == LEASE_COUNT && code == 200)
		return LEASE_HELD;
	/* Another was faster, or has deleted it: look again. */
	if ((state != LEASE_LOOK && code == 409) || (state == LEASE_COUNT && code == 404))
		return LEASE_GO_ON;
	lease->state = state; /* for the sentence */
	code = refused(lease, code, body, len, err);
	lease->state = LEASE_LOOK;
	return code;
}
