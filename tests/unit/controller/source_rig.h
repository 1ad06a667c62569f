/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SOURCE_RIG_H
#define TESTS_SOURCE_RIG_H

/* A source directory in a temporary place, followed by the real thing; what it tells goes into a store. */

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "controller/core/store/store.h"
#include "controller/source/source_dir.h"
#include "lib/log.h"

struct source_rig {
	char dir[64];
	uv_loop_t loop;
	uv_timer_t limit;
	struct source_dir *source;
	struct store *store;
	int removed, settled;
};

static inline char *rig_path(const struct source_rig *rig, const char *name)
{
	return xasprintf("%s/%s", rig->dir, name);
}

static inline void rig_write(const struct source_rig *rig, const char *name, const char *text)
{
	cleanup(freep) char *path = rig_path(rig, name);
	FILE *file = fopen(path, "w");

	assert(file);
	fputs(text, file);
	fclose(file);
}

static inline void rig_rename(const struct source_rig *rig, const char *from, const char *to)
{
	cleanup(freep) char *old = rig_path(rig, from), *new = rig_path(rig, to);

	if (rename(old, new) < 0)
		abort();
}

static inline void rig_unlink(const struct source_rig *rig, const char *name)
{
	cleanup(freep) char *path = rig_path(rig, name);

	if (unlink(path) < 0)
		abort();
}

/* A manifest of the policy payments/NAME; valid until the next call but one. */
static inline const char *policy(const char *name, int hz)
{
	static char text[2][256];
	static int turn;
	char *out = text[turn++ % 2];

	snprintf(out, sizeof(text[0]),
		 "apiVersion: profiling.rubato.dev/v1alpha1\n"
		 "kind: ProfilingPolicy\n"
		 "metadata: {name: %s, namespace: payments}\n"
		 "spec:\n"
		 "  sampleRateHz: %d\n",
		 name, hz);
	return out;
}

static inline void rig_on_apply(void *ctx, struct manifest_doc *doc)
{
	struct source_rig *rig = ctx;

	store_apply(rig->store, TAKE_PTR(doc->object));
}

static inline void rig_on_remove(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	struct source_rig *rig = ctx;

	rig->removed++;
	store_delete(rig->store, kind, ns, name);
}

static inline void rig_on_settled(void *ctx)
{
	((struct source_rig *)ctx)->settled++;
}

static inline void rig_init(struct source_rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	strcpy(rig->dir, "/tmp/rubato-source-XXXXXX");
	if (!mkdtemp(rig->dir))
		abort();
	log_setup(LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
	uv_loop_init(&rig->loop);
	uv_timer_init(&rig->loop, &rig->limit);
	rig->store = store_new();
}

static inline void rig_follow(struct source_rig *rig)
{
	const struct source_sink sink = {
		.ctx = rig,
		.apply = rig_on_apply,
		.remove = rig_on_remove,
		.settled = rig_on_settled,
	};
	const struct source_dir_options options = { .path = rig->dir };
	struct err err = ERR_INIT;

	if (source_dir_new(&rig->loop, &options, &sink, &rig->source, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
}

/* The rate of payments/NAME in force, -1 = there is none. */
static inline int rate_of(const struct source_rig *rig, const char *name)
{
	const struct object *object = store_find(rig->store, OBJECT_POLICY, "payments", name);

	return object ? (int)object->policy.rate_hz : -1;
}

static inline void rig_on_limit(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Run until the policy has that rate; false after three seconds. */
static inline bool becomes(struct source_rig *rig, const char *name, int hz)
{
	bool over = false;

	rig->limit.data = &over;
	uv_timer_start(&rig->limit, rig_on_limit, 3000, 0);
	while (!over && rate_of(rig, name) != hz)
		uv_run(&rig->loop, UV_RUN_ONCE);
	uv_timer_stop(&rig->limit);
	return rate_of(rig, name) == hz;
}

static inline void run_for(struct source_rig *rig, uint64_t ms)
{
	bool over = false;

	rig->limit.data = &over;
	uv_timer_start(&rig->limit, rig_on_limit, ms, 0);
	while (!over)
		uv_run(&rig->loop, UV_RUN_ONCE);
}

static inline size_t refused_nr(const struct source_rig *rig)
{
	struct source_files_counts counts;

	source_files_count(source_dir_files(rig->source), &counts);
	return counts.refused;
}

/* Why the first refused file is, "" when none is. */
static inline const char *refusal(const struct source_rig *rig)
{
	static struct err err;

	err.text[0] = '\0';
	source_files_refused_at(source_dir_files(rig->source), 0, &err);
	return err.text;
}

static inline void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *item;

	while (dir && (item = readdir(dir))) {
		cleanup(freep) char *below = xasprintf("%s/%s", path, item->d_name);
		struct stat st;

		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
			continue;
		if (lstat(below, &st) == 0 && S_ISDIR(st.st_mode))
			remove_tree(below);
		else
			unlink(below);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

static inline void rig_release(struct source_rig *rig)
{
	source_dir_close(rig->source);
	uv_close((uv_handle_t *)&rig->limit, NULL);
	uv_run(&rig->loop, UV_RUN_DEFAULT);
	assert(uv_loop_close(&rig->loop) == 0);
	store_free(rig->store);
	remove_tree(rig->dir);
}

#endif
