/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_STATUS_STATUS_DIR_H
#define CONTROLLER_STATUS_STATUS_DIR_H

/* The status of every policy in a file of its own: what `--status DIR` is.
 *
 * Files are read once, at the start, and then only written: atomically, and only when something changed.
 * They carry what must outlive the process: generation, creation time and the clock of a boost.
 * One controller per directory (it is locked). */

#include "controller/core/source/status_store.h"
#include "controller/core/status/status_record.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

struct metrics;
struct status_dir;

/* Make the directory if need be and read it.  A file that cannot be used is logged and left out. */
must_check int status_dir_new(const char *path, struct metrics *metrics,
			      struct status_dir **ret_dir, struct err *err);
void status_dir_free(struct status_dir *dir);

/* Give an object of a manifest what the API server would: its generation (one more than the last when the
 * spec is another) and, if the manifest has none, its creation time. */
void status_dir_identify(struct status_dir *dir, struct manifest_doc *doc, int64_t now_wall_s);

/* The status that is stored, or NULL; borrowed until the next put or delete of the object. */
const json_t *status_dir_get(const struct status_dir *dir, const struct object *object);

/* Store `status` (a new reference is taken).  Nothing is written when it and the metadata equal what is
 * stored.  The object must have been identified.  On failure what was stored stays. */
must_check int status_dir_put(struct status_dir *dir, const struct object *object, json_t *status,
			      struct err *err);

/* The object is no more. */
void status_dir_delete(struct status_dir *dir, enum object_kind kind, const char *ns,
		       const char *name);

/* Delete the files of objects that were not identified since the start. */
void status_dir_sweep(struct status_dir *dir);

/* The same as a store; it borrows `dir`. */
struct status_store status_dir_store(struct status_dir *dir);

#endif
