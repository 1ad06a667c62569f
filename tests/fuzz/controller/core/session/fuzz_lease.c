/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "controller/core/session/lease.h"
#include "lib/core/text/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the API server answers, whatever it is: an epoch comes of a time and a count, and the next request can be made. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int code[] = { 200, 201, 403, 404, 409, 500 };
	struct lease lease;
	struct err err = ERR_INIT;

	lease_init(&lease, "rubato-system", "fuzz");
	for (size_t i = 0; i < ARRAY_SIZE(code); i++) {
		struct lease_request request;
		int r = lease_answered(&lease, code[i], (const char *)data, size, &err);

		if ((r == LEASE_HELD || r == LEASE_FRESH) &&
		    (lease.epoch.t <= 0 || lease.epoch.n < (r == LEASE_HELD)))
			abort();
		lease_request(&lease, 0, &request);
		if (!request.body != (lease.state == LEASE_LOOK))
			abort();
		lease_request_release(&request);
	}
	lease_release(&lease);
	return 0;
}
