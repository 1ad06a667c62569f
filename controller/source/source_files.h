/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_SOURCE_SOURCE_FILES_H
#define CONTROLLER_SOURCE_SOURCE_FILES_H

/* The files of a source directory: which there are, which must be read (again), which are refused.
 * Knows the file system, but no events and no time of its own: source_dir.h drives it.
 *
 * *.yaml, *.yml and *.json, neither hidden nor in subdirectories.  A refused file's last good state
 * stays in force; other files are not affected.  A refusal is logged once, and so is its end. */

#include "controller/core/source/source_sink.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

struct source_files;

struct source_files_counts {
	size_t files, refused, objects;
	uint64_t reads; /* since the start */
};

/* `path` and `sink` are copied.  Of the sink apply and remove are called, from source_files_read() only. */
struct source_files *source_files_new(const char *path, const struct source_sink *sink);
void source_files_free(struct source_files *files);

/* Is that the name of a manifest? */
bool source_files_name(const char *name);

/* The file was written or replaced: read it. */
void source_files_touch(struct source_files *files, const char *name);
/* Its mode or times changed: read it if it is refused. */
void source_files_retry(struct source_files *files, const char *name);
/* It may have gone: if it is still missing at now_ns + SOURCE_GONE_NS, what it defines goes.  Editors
 * that rename make a file disappear for a moment; so does rm and cp, and cp alone empties it for one. */
void source_files_gone(struct source_files *files, const char *name, int64_t now_ns);
#define SOURCE_GONE_NS (125 * NSEC_PER_MSEC)

/* Compare with the directory.  Files that are new, changed or gone are touched, except, when `settled_only`,
 * those changed less than SOURCE_SETTLED_NS before now_wall_ns: they may be half-written.
 * Returns the number of such, or a negative errno when the directory cannot be read (all stays). */
must_check int source_files_scan(struct source_files *files, bool settled_only, int64_t now_ns,
				 int64_t now_wall_ns, struct err *err);
#define SOURCE_SETTLED_NS NSEC_PER_SEC

/* Read files that must be read, in order of their names, for about budget_ns (at least one), and drop those
 * that are gone.  Returns true when there are more to read. */
bool source_files_read(struct source_files *files, int64_t now_ns, int64_t budget_ns);

/* When the next file, or object that left its file, is taken for gone; or INT64_MAX. */
int64_t source_files_next_gone(const struct source_files *files);

void source_files_count(const struct source_files *files, struct source_files_counts *ret_counts);

/* "boost.yaml: line 7: ..." of a refused file, by name: `i` from 0; false past the last. */
bool source_files_refused_at(const struct source_files *files, size_t i, struct err *ret_why);

#endif
