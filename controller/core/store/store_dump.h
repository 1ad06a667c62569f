/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STORE_STORE_DUMP_H
#define CONTROLLER_CORE_STORE_STORE_DUMP_H

/* The store's objects as text, a piece at a time: one line of JSON (object_json.h) for each object, by kind,
 * namespace and name.
 *
 * The store may change between two reads.  Each object is shown as it is when its line is made: one that
 * is there all the time is shown once, one that comes or goes meanwhile may be shown or not.
 */

#include "controller/core/store/store.h"
#include "lib/core/base.h"

struct store_dump;

/* `store` must outlive it. */
struct store_dump *store_dump_new(const struct store *store);
void store_dump_free(struct store_dump *dump);

/* Up to `size` bytes (> 0) into `buf`; less only before the end, 0 after it.  Works off no more objects than
 * it has room for. */
size_t store_dump_read(struct store_dump *dump, char *buf, size_t size);

#endif
