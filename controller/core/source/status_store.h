/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_SOURCE_STATUS_STORE_H
#define CONTROLLER_CORE_SOURCE_STATUS_STORE_H

/* Where statuses are kept: files beside manifests (status_dir.h) or the Kubernetes API (kube_status.h). */

#include "controller/core/object/manifest.h"
#include "controller/core/object/model.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

#include <jansson.h>

struct status_store_ops {
	/* Give an object what the API server would, if there is none. */
	void (*identify)(void *ctx, struct manifest_doc *doc, int64_t now_wall_s);
	/* What is stored, or NULL; borrowed until the next call for the object. */
	const json_t *(*get)(void *ctx, const struct object *object);
	/* Store it.  0: it is stored.  -EINPROGRESS: it is on its way, and source_sink.stored() tells when it is
	 * stored; a later put for the same object replaces it.  Else what was stored stays.  `urgent`: a boost waits for
	 * it. */
	int (*put)(void *ctx, const struct object *object, json_t *status, bool urgent,
		   struct err *err);
	/* The object is no more. */
	void (*remove)(void *ctx, enum object_kind kind, const char *ns, const char *name);
	/* Everything that exists has been identified. */
	void (*sweep)(void *ctx);
};

struct status_store {
	const struct status_store_ops *ops;
	void *ctx;
};

#endif
