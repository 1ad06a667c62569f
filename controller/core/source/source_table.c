/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/source/source_table.h"

#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/sorted.h"

struct file_identity file_identity(const struct stat *st)
{
	return (struct file_identity){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = st->st_size,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim,
	};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       same_time(&a->mtime, &b->mtime) && same_time(&a->ctime, &b->ctime);
}

static int compare_name(const void *key, const void *element)
{
	return strcmp(key, ((const struct source_file *)element)->name);
}

struct source_file *source_table_find(const struct source_table *table, const char *name)
{
	return sorted_find(name, table->file, table->nr, sizeof(*table->file), compare_name);
}

struct source_file *source_table_find_or_add(struct source_table *table, const char *name)
{
	struct source_file *file = source_table_find(table, name);
	size_t i = sorted_place(name, table->file, table->nr, sizeof(*file), compare_name);

	if (file || table->nr >= LIMIT_SOURCE_FILES)
		return file;
	GROW(table->file, table->nr);
	file = &table->file[i];
	memmove(file + 1, file, (table->nr - i) * sizeof(*file));
	*file = (struct source_file){ .name = xstrdup(name) };
	table->nr++;
	return file;
}

void source_table_remove(struct source_table *table, size_t i)
{
	struct source_file *file = &table->file[i];

	free(file->name);
	free(file->refused);
	table->nr--;
	memmove(file, file + 1, (table->nr - i) * sizeof(*file));
}

void source_table_release(struct source_table *table)
{
	while (table->nr)
		source_table_remove(table, table->nr - 1);
	free(table->file);
	table->file = NULL;
}
