/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_SESSION_LEASE_H
#define CONTROLLER_CORE_SESSION_LEASE_H

/* The epoch of a controller in a cluster: (creation, transitions) of a Lease.  Each start adds one to the transitions;
 * who changed the Lease meanwhile is not overwritten but counted on.  No clock of ours is in it, and none of the Lease's
 * times but its creation, which is the API server's: a Lease that was deleted and made again is newer than the old one.
 *
 * Pure: what to ask the API server comes out, what it answers goes in; controller/hub/kube_epoch.h does both.
 */

#include "lib/core/control/control_msg.h"
#include "lib/core/err.h"

#include <jansson.h>

#define LEASE_NAME "rubato-controller"

struct lease {
	const char *ns, *holder; /* borrowed */
	enum { LEASE_LOOK, LEASE_MAKE, LEASE_COUNT } state;
	json_t *found; /* LEASE_COUNT: as it is in the cluster */
	struct control_epoch epoch;
};

struct lease_request {
	const char *method; /* "GET", "POST", "PUT" */
	char *path, *body;  /* the caller's: lease_request_release(); body may be NULL */
};

enum lease_result {
	LEASE_GO_ON, /* make the next request */
	LEASE_HELD,  /* `epoch` is ours alone */
	/* The same, of a Lease made just now.  The creation counts whole seconds: to be used when one has passed, or
	 * a Lease that is made after this one was deleted might have the same. */
	LEASE_FRESH,
};

/* `ns`: of the Lease; `holder`: who is written into it, UTF-8. */
void lease_init(struct lease *lease, const char *ns, const char *holder);
void lease_release(struct lease *lease);

void lease_request(const struct lease *lease, int64_t wall_ns, struct lease_request *ret);
void lease_request_release(struct lease_request *request);

/* The answer to it.  Returns enum lease_result, or with a sentence that says the remedy: -EACCES (forbidden), -EINVAL (the
 * Lease cannot be counted on), -EIO.  Then lease_request() begins anew. */
must_check int lease_answered(struct lease *lease, int code, const char *body, size_t len,
			      struct err *err);

#endif
