/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_SOURCE_SOURCE_TABLE_H
#define CONTROLLER_CORE_SOURCE_SOURCE_TABLE_H

/* The manifest files of a source directory, by name.  Pure. */

#include "lib/core/base.h"

#include <sys/stat.h>

/* What tells one state of a file from another without reading it. */
struct file_identity {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct file_identity file_identity(const struct stat *st);
bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);

struct source_file {
	char *name;
	struct file_identity id; /* when last read */
	bool must_read;
	int64_t gone_at_ns; /* taken for gone then; 0 = it is there */
	bool seen;	    /* by the scan under way */
	char *refused;	    /* why; NULL = it is good */
	bool conflict;	    /* ... because another file defines the same */
};

struct source_table {
	struct source_file *file; /* sorted by name */
	size_t nr;
};

/* NULL when it is not there.  Pointers are valid until the table changes. */
struct source_file *source_table_find(const struct source_table *table, const char *name);
/* NULL when there would be more than LIMIT_SOURCE_FILES. */
struct source_file *source_table_find_or_add(struct source_table *table, const char *name);
void source_table_remove(struct source_table *table, size_t i);
void source_table_release(struct source_table *table);

#endif
