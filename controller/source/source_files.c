/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/source/source_files.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "controller/core/source/source_set.h"
#include "controller/core/source/source_table.h"
#include "lib/core/limits.h"
#include "lib/fs.h"
#include "lib/log.h"

struct source_files {
	char *path;
	struct source_sink sink;
	struct source_set *set;
	struct source_table table;
	uint64_t reads;
	bool too_many; /* told */
};

bool source_files_name(const char *name)
{
	static const char *const ending[] = { ".yaml", ".yml", ".json" };
	size_t len = strlen(name);

	if (name[0] == '.')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ending); i++) {
		size_t end = strlen(ending[i]);

		if (len > end && strcmp(name + len - end, ending[i]) == 0)
			return true;
	}
	return false;
}

/* NULL when there are too many. */
static struct source_file *find_or_add(struct source_files *files, const char *name)
{
	struct source_file *file = source_table_find_or_add(&files->table, name);

	if (file || files->too_many)
		return file;
	files->too_many = true;
	log_warn("the source directory has too many files, the rest is not read",
		 LOG_STR("dir", files->path), LOG_STR("first_left_out", name),
		 LOG_INT("limit", LIMIT_SOURCE_FILES));
	return NULL;
}

/* --- reading --- */

static int read_manifest(struct source_files *files, struct source_file *file, int64_t now_ns,
			 struct err *err)
{
	cleanup(manifest_release) struct manifest manifest = { 0 };
	cleanup(freep) char *path = xasprintf("%s/%s", files->path, file->name);
	cleanup(freep) char *text = NULL;
	struct stat st;
	size_t len = 0;
	int r;

	/* Before the read: what changes meanwhile is seen by the next scan. */
	if (stat(path, &st) == 0)
		file->id = file_identity(&st);
	r = fs_read_file(path, (size_t)LIMIT_MANIFEST_BYTES, &text, &len, err);
	if (r < 0)
		return r;
	r = manifest_parse(text, len, &manifest, err);
	if (r < 0)
		return r;
	r = source_set_put(files->set, file->name, &manifest, now_ns + SOURCE_GONE_NS, err);
	if (r == 0)
		log_debug("manifest read", LOG_STR("file", file->name),
			  LOG_UINT("objects", manifest.doc_nr),
			  LOG_UINT("skipped", manifest.skipped_nr));
	return r;
}

/* Say once that a file is refused, why, and when it is so no more.  `why` NULL = it is good. */
static void judge(struct source_files *files, struct source_file *file, const char *why)
{
	if (why && (!file->refused || strcmp(file->refused, why) != 0))
		log_warn("manifest refused, its last good state stays in force",
			 LOG_STR("dir", files->path), LOG_STR("file", file->name),
			 LOG_STR("err", why));
	if (!why && file->refused)
		log_info("manifest accepted again", LOG_STR("dir", files->path),
			 LOG_STR("file", file->name));
	free(file->refused);
	file->refused = why ? xstrdup(why) : NULL;
	file->conflict = false;
}

static void read_file(struct source_files *files, struct source_file *file, int64_t now_ns)
{
	struct err err = ERR_INIT;
	int r;

	file->must_read = false;
	files->reads++;
	r = read_manifest(files, file, now_ns, &err);
	if (r == -ENOENT) {
		source_files_gone(files, file->name, now_ns);
		return;
	}
	file->gone_at_ns = 0;
	/* A good file may have a conflict; judge_conflicts() looks at that when all are read. */
	if (r < 0 || !file->conflict)
		judge(files, file, r < 0 ? err.text : NULL);
}

/* --- what must be read --- */

void source_files_touch(struct source_files *files, const char *name)
{
	struct source_file *file = find_or_add(files, name);

	if (file)
		file->must_read = true;
}

void source_files_retry(struct source_files *files, const char *name)
{
	struct source_file *file = source_table_find(&files->table, name);

	if (file && file->refused)
		file->must_read = true;
}

void source_files_gone(struct source_files *files, const char *name, int64_t now_ns)
{
	struct source_file *file = source_table_find(&files->table, name);

	if (!file || file->gone_at_ns)
		return;
	file->must_read = false;
	file->gone_at_ns = now_ns + SOURCE_GONE_NS;
	source_set_leave(files->set, name);
}

static bool too_young(const struct stat *st, int64_t now_wall_ns)
{
	int64_t mtime_ns = st->st_mtim.tv_sec * NSEC_PER_SEC + st->st_mtim.tv_nsec;

	return mtime_ns <= now_wall_ns && now_wall_ns - mtime_ns < SOURCE_SETTLED_NS;
}

/* Returns 1 when the file has changed but is too young. */
static int look_at(struct source_files *files, int dir_fd, const char *name, bool settled_only,
		   int64_t now_wall_ns)
{
	struct source_file *file;
	struct file_identity id;
	struct stat st;

	if (fstatat(dir_fd, name, &st, 0) < 0)
		return 0;
	file = find_or_add(files, name);
	if (!file)
		return 0;
	file->seen = true;
	id = file_identity(&st);
	if (file_identity_equal(&id, &file->id) && !file->gone_at_ns)
		return 0;
	if (settled_only && too_young(&st, now_wall_ns))
		return 1;
	file->must_read = true;
	return 0;
}

/* One that has been gone for long gets its time anew: the directory may just have come back, and is
 * being filled. */
static void unseen(struct source_files *files, struct source_file *file, int64_t now_ns)
{
	source_files_gone(files, file->name, now_ns);
	file->gone_at_ns = now_ns + SOURCE_GONE_NS;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int source_files_scan(struct source_files *files, bool settled_only, int64_t now_ns,
		      int64_t now_wall_ns, struct err *err)
{
	cleanup(close_dir) DIR *dir = opendir(files->path);
	const struct dirent *item;
	int young = 0;

	if (!dir)
		return err_set(err, -errno, "%s: %s", files->path, strerror(errno));
	for (size_t i = 0; i < files->table.nr; i++)
		files->table.file[i].seen = false;
	while ((item = readdir(dir)))
		if (source_files_name(item->d_name))
			young +=
				look_at(files, dirfd(dir), item->d_name, settled_only, now_wall_ns);
	for (size_t i = 0; i < files->table.nr; i++)
		if (!files->table.file[i].seen)
			unseen(files, &files->table.file[i], now_ns);
	return young;
}

static int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static bool dir_is_there(const struct source_files *files)
{
	struct stat st;

	return stat(files->path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* It may be there again, and its writer not be done with it. */
static bool file_is_there(const struct source_files *files, const char *name)
{
	cleanup(freep) char *path = xasprintf("%s/%s", files->path, name);
	struct stat st;

	return stat(path, &st) == 0;
}

/* A directory that is gone as a whole says nothing about its files. */
static void drop_gone(struct source_files *files, int64_t now_ns)
{
	for (size_t i = 0; i < files->table.nr;) {
		struct source_file *file = &files->table.file[i];

		if (!file->gone_at_ns || file->gone_at_ns > now_ns || file->must_read) {
			i++;
			continue;
		}
		if (!dir_is_there(files) || file_is_there(files, file->name)) {
			file->gone_at_ns = now_ns + SOURCE_GONE_NS;
			i++;
			continue;
		}
		log_info("manifest removed", LOG_STR("file", file->name));
		source_set_drop(files->set, file->name);
		source_table_remove(&files->table, i);
		files->too_many = false;
	}
}

static void judge_conflicts(struct source_files *files)
{
	for (size_t i = 0; i < files->table.nr; i++) {
		struct source_file *file = &files->table.file[i];
		struct err why = ERR_INIT;

		if (file->refused && !file->conflict)
			continue;
		if (source_set_conflict(files->set, file->name, &why)) {
			judge(files, file, why.text);
			file->conflict = true;
		} else if (file->conflict) {
			judge(files, file, NULL);
		}
	}
}

bool source_files_read(struct source_files *files, int64_t now_ns, int64_t budget_ns)
{
	int64_t start_ns = clock_ns();

	drop_gone(files, now_ns);
	/* A file that is read may hand an object to one before it. */
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < files->table.nr; i++) {
			if (!files->table.file[i].must_read)
				continue;
			again = true;
			read_file(files, &files->table.file[i], now_ns);
			if (clock_ns() - start_ns > budget_ns)
				return true;
		}
	}
	source_set_sweep(files->set, now_ns);
	judge_conflicts(files);
	return false;
}

int64_t source_files_next_gone(const struct source_files *files)
{
	int64_t next_ns = source_set_next(files->set);

	for (size_t i = 0; i < files->table.nr; i++)
		if (files->table.file[i].gone_at_ns)
			next_ns = MIN(next_ns, files->table.file[i].gone_at_ns);
	return next_ns;
}

/* --- what came of it --- */

void source_files_count(const struct source_files *files, struct source_files_counts *ret_counts)
{
	*ret_counts = (struct source_files_counts){
		.files = files->table.nr,
		.objects = source_set_object_nr(files->set),
		.reads = files->reads,
	};
	for (size_t i = 0; i < files->table.nr; i++)
		ret_counts->refused += files->table.file[i].refused != NULL;
}

bool source_files_refused_at(const struct source_files *files, size_t at, struct err *ret_why)
{
	for (size_t i = 0; i < files->table.nr; i++) {
		if (!files->table.file[i].refused || at-- > 0)
			continue;
		err_set(ret_why, 0, "%.200s: %s", files->table.file[i].name,
			files->table.file[i].refused);
		return true;
	}
	return false;
}

/* --- life --- */

static void on_apply(void *ctx, struct manifest_doc *doc)
{
	struct source_files *files = ctx;

	files->sink.apply(files->sink.ctx, doc);
}

static void on_remove(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	struct source_files *files = ctx;

	files->sink.remove(files->sink.ctx, kind, ns, name);
}

static void on_reread(void *ctx, const char *name)
{
	struct source_file *file = source_table_find(&((struct source_files *)ctx)->table, name);

	if (file)
		file->must_read = true;
}

struct source_files *source_files_new(const char *path, const struct source_sink *sink)
{
	static const struct source_set_events own = {
		.apply = on_apply,
		.remove = on_remove,
		.reread = on_reread,
	};
	struct source_files *files = xcalloc(1, sizeof(*files));

	files->path = xstrdup(path);
	files->sink = *sink;
	files->set = source_set_new(&own, files);
	return files;
}

void source_files_free(struct source_files *files)
{
	if (!files)
		return;
	source_set_free(files->set);
	source_table_release(&files->table);
	free(files->path);
	free(files);
}
