/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STORE_POD_PACK_H
#define CONTROLLER_CORE_STORE_POD_PACK_H

/* A pod in one piece of memory, with what it has in common with others kept once for all: there are 150,000 of them.
 * Pure. */

#include "controller/core/object/model.h"
#include "controller/core/store/shared_text.h"

/* The same pod, in place of the one given, which is freed; to be freed by pod_packed_free() only. */
struct object *pod_pack(struct object *pod, struct shared_texts *texts);

/* `texts`: those that it was packed with. */
void pod_packed_free(struct object *pod, struct shared_texts *texts);

#endif
