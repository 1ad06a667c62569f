/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/status/status_dir.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/core/limits.h"
#include "lib/core/text/json.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/observe/metrics.h"

struct stored {
	char file[STATUS_FILE_NAME_MAX];
	struct status_record record;
	bool identified; /* a manifest has named it since the start */
	bool dirty;	 /* the metadata is not what the file says */
};

struct status_dir {
	char *path;
	int lock;
	void *stored; /* tsearch(3) by file */
	struct metric *writes, *failures;
};

static int by_file(const void *a, const void *b)
{
	return strcmp(((const struct stored *)a)->file, ((const struct stored *)b)->file);
}

static struct stored *find(const struct status_dir *dir, enum object_kind kind, const char *ns,
			   const char *name)
{
	struct stored wanted;
	struct stored *const *found;

	status_record_file_name(kind, ns, name, wanted.file);
	found = tfind(&wanted, &dir->stored, by_file);
	return found ? *found : NULL;
}

static void add(struct status_dir *dir, struct stored *stored)
{
	if (!tsearch(stored, &dir->stored, by_file))
		abort();
}

static void stored_free(void *ptr)
{
	struct stored *stored = ptr;

	status_record_release(&stored->record);
	free(stored);
}

/* --- reading --- */

static int load_record(const struct status_dir *dir, const char *file, struct status_record *ret,
		       struct err *err)
{
	cleanup(freep) char *path = xasprintf("%s/%s", dir->path, file);
	cleanup(freep) char *text = NULL;
	json_auto_t *json = NULL;
	char expected[STATUS_FILE_NAME_MAX];
	size_t len = 0;
	int r = fs_read_file(path, (size_t)LIMIT_STATUS_BYTES, &text, &len, err);

	if (r < 0)
		return r;
	r = json_parse_bounded(text, len, LIMIT_JSON_DEPTH, &json, err);
	if (r < 0)
		return r;
	r = status_record_from_json(json, ret, err);
	if (r < 0)
		return r;
	status_record_file_name(ret->kind, ret->ns, ret->name, expected);
	if (strcmp(file, expected) == 0)
		return 0;
	status_record_release(ret);
	return err_set(err, -EINVAL, "it speaks of %s", expected);
}

static void load(struct status_dir *dir, const char *file)
{
	struct stored *stored = xcalloc(1, sizeof(*stored));
	struct err err = ERR_INIT;

	if (load_record(dir, file, &stored->record, &err) < 0) {
		log_warn("status file cannot be used, a boost it speaks of begins anew",
			 LOG_STR("dir", dir->path), LOG_STR("file", file), LOG_ERR(&err));
		stored_free(stored);
		return;
	}
	snprintf(stored->file, sizeof(stored->file), "%s", file);
	add(dir, stored);
}

static int load_all(struct status_dir *dir, struct err *err)
{
	DIR *list = opendir(dir->path);
	const struct dirent *item;

	if (!list)
		return err_set(err, -errno, "status directory %s: %s", dir->path, strerror(errno));
	while ((item = readdir(list))) {
		size_t len = strlen(item->d_name);

		if (item->d_name[0] != '.' && len > 5 && len < STATUS_FILE_NAME_MAX &&
		    strcmp(item->d_name + len - 5, ".json") == 0)
			load(dir, item->d_name);
	}
	closedir(list);
	return 0;
}

/* Two controllers on one directory would each undo what the other writes. */
static int lock(struct status_dir *dir, struct err *err)
{
	cleanup(freep) char *path = xasprintf("%s/.lock", dir->path);

	dir->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (dir->lock < 0)
		return err_set(err, -errno, "status directory: %s: %s", path, strerror(errno));
	if (flock(dir->lock, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, -EBUSY, "status directory %s: another controller is using it",
			       dir->path);
	return 0;
}

int status_dir_new(const char *path, struct metrics *metrics, struct status_dir **ret_dir,
		   struct err *err)
{
	struct status_dir *dir = xcalloc(1, sizeof(*dir));
	int r;

	dir->path = xstrdup(path);
	dir->lock = -1;
	dir->writes = metrics_counter(metrics, "rubato_controller_status_writes_total",
				      "Status files written.", METRIC_NO_LABELS);
	dir->failures =
		metrics_counter(metrics, "rubato_controller_status_write_failures_total",
				"Status files that could not be written.", METRIC_NO_LABELS);
	r = fs_mkdir_all(path, 0755, err);
	if (r == 0)
		r = lock(dir, err);
	if (r == 0)
		r = load_all(dir, err);
	if (r < 0) {
		status_dir_free(dir);
		return r;
	}
	*ret_dir = dir;
	return 0;
}

void status_dir_free(struct status_dir *dir)
{
	if (!dir)
		return;
	tdestroy(dir->stored, stored_free);
	if (dir->lock >= 0)
		close(dir->lock);
	free(dir->path);
	free(dir);
}

/* --- identity --- */

static struct stored *add_new(struct status_dir *dir, const struct manifest_doc *doc,
			      int64_t now_wall_s)
{
	struct stored *stored = xcalloc(1, sizeof(*stored));
	const struct object *object = doc->object;

	status_record_file_name(object->kind, object->ns, object->name, stored->file);
	stored->record = (struct status_record){
		.kind = object->kind,
		.ns = xstrdup(object->ns),
		.name = xstrdup(object->name),
		.created_s = now_wall_s,
	};
	add(dir, stored);
	return stored;
}

void status_dir_identify(struct status_dir *dir, struct manifest_doc *doc, int64_t now_wall_s)
{
	struct object *object = doc->object;
	struct stored *stored = find(dir, object->kind, object->ns, object->name);
	struct status_record *record;

	if (!stored)
		stored = add_new(dir, doc, now_wall_s);
	stored->identified = true;
	record = &stored->record;
	if (strcmp(record->spec_hash, doc->spec_hash) != 0) {
		record->generation++;
		memcpy(record->spec_hash, doc->spec_hash, SPEC_HASH_HEX);
		stored->dirty = true;
	}
	if (doc->has_created && record->created_s != object->created_s) {
		record->created_s = object->created_s;
		stored->dirty = true;
	}
	object->generation = record->generation;
	object->created_s = record->created_s;
}

/* --- writing --- */

const json_t *status_dir_get(const struct status_dir *dir, const struct object *object)
{
	const struct stored *stored = find(dir, object->kind, object->ns, object->name);

	return stored ? stored->record.status : NULL;
}

static int write_record(struct status_dir *dir, const struct stored *stored, struct err *err)
{
	cleanup(freep) char *path = xasprintf("%s/%s", dir->path, stored->file);
	json_auto_t *json = status_record_to_json(&stored->record);
	cleanup(freep) char *text = json_dumps(json, JSON_INDENT(2));
	cleanup(freep) char *line = NULL;

	if (!text)
		return err_set(err, -EINVAL, "%s: the status is not UTF-8", path);
	line = xasprintf("%s\n", text);
	/* No fsync: the page cache outlives the process, and after a power cut it is another boot. */
	return fs_write_file(path, line, strlen(line), 0644, FS_NO_SYNC, err);
}

int status_dir_put(struct status_dir *dir, const struct object *object, json_t *status,
		   struct err *err)
{
	struct stored *stored = find(dir, object->kind, object->ns, object->name);
	json_t *before;
	int r;

	assert(stored);
	before = stored->record.status;
	if (!stored->dirty && before && json_equal(before, status))
		return 0;
	stored->record.status = json_incref(status);
	r = write_record(dir, stored, err);
	if (r < 0) {
		metric_add(dir->failures, 1);
		json_decref(stored->record.status);
		stored->record.status = before;
		return r;
	}
	metric_add(dir->writes, 1);
	json_decref(before);
	stored->dirty = false;
	return 0;
}

static void forget(struct status_dir *dir, struct stored *stored)
{
	cleanup(freep) char *path = xasprintf("%s/%s", dir->path, stored->file);

	if (unlink(path) < 0 && errno != ENOENT)
		log_warn("status file cannot be deleted", LOG_STR("file", path),
			 LOG_STR("err", strerror(errno)));
	tdelete(stored, &dir->stored, by_file);
	stored_free(stored);
}

void status_dir_delete(struct status_dir *dir, enum object_kind kind, const char *ns,
		       const char *name)
{
	struct stored *stored = find(dir, kind, ns, name);

	if (stored)
		forget(dir, stored);
}

struct strays {
	struct stored **stored;
	size_t nr;
};

static void collect_stray(const void *node, VISIT visit, void *ctx)
{
	struct stored *stored = *(struct stored *const *)node;
	struct strays *strays = ctx;

	if ((visit != postorder && visit != leaf) || stored->identified)
		return;
	GROW(strays->stored, strays->nr);
	strays->stored[strays->nr++] = stored;
}

void status_dir_sweep(struct status_dir *dir)
{
	struct strays strays = { 0 };

	twalk_r(dir->stored, collect_stray, &strays);
	for (size_t i = 0; i < strays.nr; i++)
		forget(dir, strays.stored[i]);
	free(strays.stored);
}

/* --- as a store --- */

static void store_identify(void *ctx, struct manifest_doc *doc, int64_t now_wall_s)
{
	status_dir_identify(ctx, doc, now_wall_s);
}

static const json_t *store_get(void *ctx, const struct object *object)
{
	return status_dir_get(ctx, object);
}

static int store_put(void *ctx, const struct object *object, json_t *status, bool urgent,
		     struct err *err)
{
	(void)urgent;
	return status_dir_put(ctx, object, status, err);
}

static void store_remove(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	status_dir_delete(ctx, kind, ns, name);
}

static void store_sweep(void *ctx)
{
	status_dir_sweep(ctx);
}

struct status_store status_dir_store(struct status_dir *dir)
{
	static const struct status_store_ops ops = {
		.identify = store_identify,
		.get = store_get,
		.put = store_put,
		.remove = store_remove,
		.sweep = store_sweep,
	};

	return (struct status_store){ .ops = &ops, .ctx = dir };
}
