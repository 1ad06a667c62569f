/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_OBJECT_MANIFEST_H
#define CONTROLLER_CORE_OBJECT_MANIFEST_H

/* One manifest file, read: YAML or JSON, several documents, `kind: List` taken apart.  Pure.
 *
 * A file is good or refused as a whole.  Kinds we have no use for are skipped, so that a directory of
 * ordinary manifests can be given. */

#include "controller/core/object/model.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#define SPEC_HASH_HEX 65 /* SHA-256 in hex, and the NUL */

struct manifest_doc {
	struct object *object; /* may be taken over (TAKE_PTR) */
	char *key; /* "ProfilingPolicy payments/boost", "Node node-a": unique in the file */
	int line;  /* where it begins */
	char spec_hash[SPEC_HASH_HEX]; /* of the canonical spec; "" for kinds other than ours */
	bool has_created;	       /* metadata.creationTimestamp was given */
};

struct manifest {
	struct manifest_doc *doc; /* sorted by key */
	size_t doc_nr;
	size_t skipped_nr; /* objects of kinds that are not used here */
};

/* Returns 0, or -EINVAL/-E2BIG with "line N: ProfilingPolicy payments/boost: FIELD: ...".
 * *ret_manifest is the caller's to release; written on success only. */
must_check int manifest_parse(const char *text, size_t len, struct manifest *ret_manifest,
			      struct err *err);

void manifest_release(struct manifest *manifest);

#endif
