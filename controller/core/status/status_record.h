/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STATUS_STATUS_RECORD_H
#define CONTROLLER_CORE_STATUS_STATUS_RECORD_H

/* What is kept of one policy when there is no API server to keep it: the content of its status file.
 * The same JSON that the API would give, with the spec left out.  Pure. */

#include "controller/core/object/manifest.h"
#include "controller/core/object/model.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#include <jansson.h>

#define STATUS_FILE_NAME_MAX 256
#define ANNOTATION_SPEC_HASH PROFILING_GROUP "/spec-hash"

struct status_record {
	enum object_kind kind; /* OBJECT_POLICY or OBJECT_CLUSTER_POLICY */
	char *ns, *name;
	int64_t generation; /* rises when the spec changes; > 0 */
	int64_t created_s;
	char spec_hash[SPEC_HASH_HEX];
	json_t *status; /* NULL = none yet */
};

void status_record_release(struct status_record *record);

/* "profilingpolicy.payments.boost.json", "clusterprofilingpolicy.fleet.json". */
void status_record_file_name(enum object_kind kind, const char *ns, const char *name,
			     char ret_name[STATUS_FILE_NAME_MAX]);

/* {"apiVersion", "kind", "metadata": {...}, "status"}; the caller's to json_decref(). */
json_t *status_record_to_json(const struct status_record *record);

/* -EINVAL with err when it is not such; the status itself is taken as it is. */
must_check int status_record_from_json(const json_t *json, struct status_record *ret_record,
				       struct err *err);

#endif
