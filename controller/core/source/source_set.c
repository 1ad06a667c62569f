/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/source/source_set.h"

#include <errno.h>
#include <search.h>
#include <string.h>

#include "lib/core/limits.h"

struct file;

/* One object and the files that define it. */
struct slot {
	char *key;
	enum object_kind kind;
	char *ns, *name;
	struct file **claim;
	size_t claim_nr;
	struct file *owner; /* one of `claim` */
	uint64_t stamp;	    /* of the last source_set_put() that named it */
	bool orphan;	    /* is in the set's list of those */
	int64_t due_ns;	    /* an orphan goes then */
};

struct file {
	char *name;
	bool leaving;
	struct slot **entry;
	size_t entry_nr;
	size_t lost_nr; /* entries that another file owns */
};

struct source_set {
	struct source_set_events events;
	void *ctx;
	void *entries; /* tsearch(3) by key */
	void *files;   /* by name */
	size_t entry_nr;
	struct slot **orphan; /* no file defined them when last looked at */
	size_t orphan_nr;
	uint64_t stamp;
};

static int entry_order(const void *a, const void *b)
{
	return strcmp(((const struct slot *)a)->key, ((const struct slot *)b)->key);
}

static int file_order(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static struct slot *find_entry(const struct source_set *set, char *key)
{
	struct slot wanted = { .key = key };
	struct slot *const *found = tfind(&wanted, &set->entries, entry_order);

	return found ? *found : NULL;
}

static struct file *find_file(const struct source_set *set, const char *name)
{
	struct file wanted = { .name = (char *)name };
	struct file *const *found = tfind(&wanted, &set->files, file_order);

	return found ? *found : NULL;
}

static struct slot *add_entry(struct source_set *set, const struct manifest_doc *doc)
{
	struct slot *entry = xcalloc(1, sizeof(*entry));

	entry->key = xstrdup(doc->key);
	entry->kind = doc->object->kind;
	entry->ns = xstrdup(doc->object->ns);
	entry->name = xstrdup(doc->object->name);
	if (!tsearch(entry, &set->entries, entry_order))
		abort();
	set->entry_nr++;
	return entry;
}

static struct file *add_file(struct source_set *set, const char *name)
{
	struct file *file = xcalloc(1, sizeof(*file));

	file->name = xstrdup(name);
	if (!tsearch(file, &set->files, file_order))
		abort();
	return file;
}

static void entry_free(void *ptr)
{
	struct slot *entry = ptr;

	free(entry->key);
	free(entry->ns);
	free(entry->name);
	free(entry->claim);
	free(entry);
}

static void file_free(void *ptr)
{
	struct file *file = ptr;

	free(file->name);
	free(file->entry);
	free(file);
}

static bool before(const struct file *a, const struct file *b)
{
	if (a->leaving != b->leaving)
		return b->leaving;
	return strcmp(a->name, b->name) < 0;
}

static bool has_claim(const struct slot *entry, const struct file *file)
{
	for (size_t i = 0; i < entry->claim_nr; i++)
		if (entry->claim[i] == file)
			return true;
	return false;
}

static void add_claim(struct slot *entry, struct file *file)
{
	if (has_claim(entry, file))
		return;
	GROW(entry->claim, entry->claim_nr);
	entry->claim[entry->claim_nr++] = file;
	file->lost_nr++; /* until settle() finds otherwise */
}

static void remove_claim(struct slot *entry, struct file *file)
{
	for (size_t i = 0; i < entry->claim_nr; i++) {
		if (entry->claim[i] != file)
			continue;
		entry->claim[i] = entry->claim[--entry->claim_nr];
		if (entry->owner == file)
			entry->owner = NULL;
		else
			file->lost_nr--;
		return;
	}
}

/* Find the owner anew; true when it is another one. */
static bool settle(struct slot *entry)
{
	struct file *owner = NULL;

	for (size_t i = 0; i < entry->claim_nr; i++)
		if (!owner || before(entry->claim[i], owner))
			owner = entry->claim[i];
	if (owner == entry->owner)
		return false;
	if (entry->owner)
		entry->owner->lost_nr++;
	if (owner)
		owner->lost_nr--;
	entry->owner = owner;
	return true;
}

/* `file` defines it no more; if nobody else does, it goes at due_ns. */
static void give_up(struct source_set *set, struct slot *entry, struct file *file, int64_t due_ns)
{
	bool owned = entry->owner == file;

	remove_claim(entry, file);
	if (entry->claim_nr) {
		if (settle(entry) && owned)
			set->events.reread(set->ctx, entry->owner->name);
		return;
	}
	entry->due_ns = due_ns;
	if (entry->orphan)
		return;
	entry->orphan = true;
	GROW(set->orphan, set->orphan_nr);
	set->orphan[set->orphan_nr++] = entry;
}

static size_t new_entries(const struct source_set *set, const struct manifest *manifest)
{
	size_t nr = 0;

	for (size_t i = 0; i < manifest->doc_nr; i++)
		nr += !find_entry(set, manifest->doc[i].key);
	return nr;
}

/* Claim what the manifest names; what the file named before and does not now is given up. */
static void claim_all(struct source_set *set, struct file *file, const struct manifest *manifest,
		      int64_t due_ns)
{
	cleanup(freep) struct slot **old = file->entry;
	size_t old_nr = file->entry_nr;

	file->entry = xcalloc(manifest->doc_nr + 1, sizeof(struct slot *));
	file->entry_nr = manifest->doc_nr;
	set->stamp++;
	for (size_t i = 0; i < manifest->doc_nr; i++) {
		struct slot *entry = find_entry(set, manifest->doc[i].key);

		if (!entry)
			entry = add_entry(set, &manifest->doc[i]);
		entry->stamp = set->stamp;
		add_claim(entry, file);
		file->entry[i] = entry;
	}
	for (size_t i = 0; i < old_nr; i++)
		if (old[i]->stamp != set->stamp)
			give_up(set, old[i], file, due_ns);
}

int source_set_put(struct source_set *set, const char *name, struct manifest *manifest,
		   int64_t due_ns, struct err *err)
{
	struct file *file = find_file(set, name);

	if (set->entry_nr + new_entries(set, manifest) > LIMIT_SOURCE_OBJECTS)
		return err_set(err, -E2BIG, "the source directory has more than %d objects",
			       LIMIT_SOURCE_OBJECTS);
	if (!file)
		file = add_file(set, name);
	file->leaving = false;
	claim_all(set, file, manifest, due_ns);
	for (size_t i = 0; i < file->entry_nr; i++) {
		settle(file->entry[i]);
		if (file->entry[i]->owner == file)
			set->events.apply(set->ctx, &manifest->doc[i]);
	}
	return 0;
}

void source_set_leave(struct source_set *set, const char *name)
{
	struct file *file = find_file(set, name);

	if (!file || file->leaving)
		return;
	file->leaving = true;
	for (size_t i = 0; i < file->entry_nr; i++)
		if (settle(file->entry[i]))
			set->events.reread(set->ctx, file->entry[i]->owner->name);
}

void source_set_drop(struct source_set *set, const char *name)
{
	struct file *file = find_file(set, name);

	if (!file)
		return;
	for (size_t i = 0; i < file->entry_nr; i++)
		give_up(set, file->entry[i], file, INT64_MIN);
	tdelete(file, &set->files, file_order);
	file_free(file);
}

void source_set_sweep(struct source_set *set, int64_t now_ns)
{
	size_t left = 0;

	for (size_t i = 0; i < set->orphan_nr; i++) {
		struct slot *entry = set->orphan[i];

		if (!entry->claim_nr && entry->due_ns > now_ns) {
			set->orphan[left++] = entry;
			continue;
		}
		entry->orphan = false;
		if (entry->claim_nr)
			continue;
		set->events.remove(set->ctx, entry->kind, entry->ns, entry->name);
		tdelete(entry, &set->entries, entry_order);
		set->entry_nr--;
		entry_free(entry);
	}
	set->orphan_nr = left;
	if (left)
		return;
	free(set->orphan);
	set->orphan = NULL;
}

int64_t source_set_next(const struct source_set *set)
{
	int64_t next_ns = INT64_MAX;

	for (size_t i = 0; i < set->orphan_nr; i++)
		next_ns = MIN(next_ns, set->orphan[i]->due_ns);
	return next_ns;
}

bool source_set_conflict(const struct source_set *set, const char *name, struct err *ret_why)
{
	const struct file *file = find_file(set, name);

	if (!file || !file->lost_nr || file->leaving)
		return false;
	for (size_t i = 0; i < file->entry_nr; i++) {
		const struct slot *entry = file->entry[i];

		if (entry->owner == file)
			continue;
		err_set(ret_why, -EEXIST, "%s is already defined in %s, which comes first",
			entry->key, entry->owner->name);
		return true;
	}
	return false;
}

size_t source_set_object_nr(const struct source_set *set)
{
	return set->entry_nr;
}

struct source_set *source_set_new(const struct source_set_events *events, void *ctx)
{
	struct source_set *set = xcalloc(1, sizeof(*set));

	set->events = *events;
	set->ctx = ctx;
	return set;
}

void source_set_free(struct source_set *set)
{
	if (!set)
		return;
	free(set->orphan);
	tdestroy(set->entries, entry_free);
	tdestroy(set->files, file_free);
	free(set);
}
