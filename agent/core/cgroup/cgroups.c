/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/cgroup/cgroups.h"

#include "agent/core/cgroup/cgroup_name.h"
#include "agent/core/cgroup/plan_index.h"
#include "lib/core/hash.h"
#include "lib/core/table.h"

#include <assert.h>
#include <string.h>

struct owner { /* a container, and who points at it */
	struct container pub;
	struct table_node node; /* by path */
	size_t at;
	size_t live, tombstones; /* cgroups */
};

struct entry {
	struct cgroup pub;
	struct table_node node; /* by id */
	size_t at;
};

struct cgroups {
	struct table by_id, by_path;
	struct entry **entry;
	size_t entry_nr, living_nr;
	struct owner **owner;
	size_t owner_nr;
	uint32_t *slot; /* free ones; the last is taken first */
	size_t slot_nr;
	size_t slotless; /* living containers without one */
	uint64_t refused;
	const struct plan *plan; /* borrowed */
	struct plan_index index;
};

/* "/" + the path without slashes at its ends.  The caller frees. */
static char *path_normal(const char *path)
{
	size_t len;

	path += strspn(path, "/");
	len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		len--;
	return xasprintf("/%.*s", (int)len, path);
}

struct cgroups *cgroups_new(uint32_t slots)
{
	struct cgroups *cgroups = xcalloc(1, sizeof(*cgroups));

	cgroups->slot = xcalloc(slots, sizeof(*cgroups->slot));
	for (uint32_t slot = slots; slot > 1; slot--)
		cgroups->slot[cgroups->slot_nr++] = slot - 1;
	plan_index_init(&cgroups->index, NULL);
	return cgroups;
}

void cgroups_free(struct cgroups *cgroups)
{
	if (!cgroups)
		return;
	for (size_t i = 0; i < cgroups->entry_nr; i++) {
		free(cgroups->entry[i]->pub.path);
		free(cgroups->entry[i]);
	}
	for (size_t i = 0; i < cgroups->owner_nr; i++) {
		container_release(&cgroups->owner[i]->pub);
		free(cgroups->owner[i]);
	}
	table_release(&cgroups->by_id);
	table_release(&cgroups->by_path);
	plan_index_release(&cgroups->index);
	free(cgroups->entry);
	free(cgroups->owner);
	free(cgroups->slot);
	free(cgroups);
}

static struct entry *find_entry(const struct cgroups *cgroups, uint64_t id)
{
	struct table_node *node = table_first(&cgroups->by_id, hash_u64(id));

	/* hash_u64() is a bijection: an equal hash is an equal id. */
	return TABLE_ENTRY(node, struct entry, node);
}

static struct owner *find_living_owner(const struct cgroups *cgroups, const char *path, size_t len)
{
	struct table_node *node = table_first(&cgroups->by_path, hash_bytes(path, len));

	for (; node; node = table_next(node)) {
		struct owner *owner = TABLE_ENTRY(node, struct owner, node);

		if (!owner->pub.gone_ns && strlen(owner->pub.path) == len &&
		    memcmp(owner->pub.path, path, len) == 0)
			return owner;
	}
	return NULL;
}

static struct owner *owner_of(struct cgroup *cgroup)
{
	return (struct owner *)cgroup->container; /* its first member */
}

static void take_slot(struct cgroups *cgroups, struct owner *owner)
{
	if (cgroups->slot_nr > 0)
		owner->pub.slot = cgroups->slot[--cgroups->slot_nr];
	else
		cgroups->slotless++;
}

static struct owner *add_owner(struct cgroups *cgroups, char *path, const char *uid,
			       const char *cid, bool whole)
{
	struct owner *owner = xcalloc(1, sizeof(*owner));

	owner->pub.path = path;
	owner->pub.whole = whole;
	owner->pub.pod_uid = xstrdup(uid);
	owner->pub.cid = xstrdup(cid);
	owner->at = cgroups->owner_nr;
	GROW(cgroups->owner, cgroups->owner_nr);
	cgroups->owner[cgroups->owner_nr++] = owner;
	table_add(&cgroups->by_path, &owner->node, hash_bytes(path, strlen(path)));
	take_slot(cgroups, owner);
	container_bind(&owner->pub, cgroups->plan, &cgroups->index);
	return owner;
}

/* The container that the directory belongs to, made if it is new; NULL = nobody's. */
static struct owner *find_or_add_owner(struct cgroups *cgroups, const char *path)
{
	struct cgroup_name name = cgroup_name_parse(path);
	size_t len = name.len;
	size_t planned_len = 0;
	const struct plan_row *row = plan_index_find_path(&cgroups->index, path, &planned_len);
	const char *uid = name.uid;
	bool whole = name.kind == CGROUP_CONTAINER;
	struct owner *owner;

	if (row && (name.kind == CGROUP_OTHER || planned_len <= len)) {
		if (planned_len < len)
			name.cid[0] = '\0';
		len = planned_len;
		uid = row->target->uid;
		whole = true;
	} else if (name.kind == CGROUP_OTHER) {
		return NULL;
	}
	owner = find_living_owner(cgroups, path, len);
	return owner ? owner : add_owner(cgroups, xstrndup(path, len), uid, name.cid, whole);
}

static void join(struct cgroups *cgroups, struct cgroup *cgroup)
{
	struct owner *owner = find_or_add_owner(cgroups, cgroup->path);

	if (!owner)
		return;
	cgroup->container = &owner->pub;
	owner->live++;
	if (strcmp(owner->pub.path, cgroup->path) == 0)
		owner->pub.cgroup = cgroup->id;
}

static void remove_entry(struct cgroups *cgroups, struct entry *entry)
{
	struct entry *last = cgroups->entry[--cgroups->entry_nr];
	struct owner *owner = owner_of(&entry->pub);

	if (owner)
		owner->tombstones--;
	cgroups->entry[entry->at] = last;
	last->at = entry->at;
	table_remove(&cgroups->by_id, &entry->node);
	free(entry->pub.path);
	free(entry);
}

static bool ends_with(const char *text, const char *tail)
{
	size_t len = strlen(text), tail_len = strlen(tail);

	return len >= tail_len && strcmp(text + len - tail_len, tail) == 0;
}

static bool rename_entry(struct cgroups *cgroups, struct entry *entry, const char *path)
{
	if (ends_with(entry->pub.path, path))
		return false;
	free(entry->pub.path);
	entry->pub.path = xstrdup(path);
	if (!entry->pub.container)
		join(cgroups, &entry->pub);
	return true;
}

static bool add_entry(struct cgroups *cgroups, uint64_t id, const char *path)
{
	struct entry *entry;

	if (cgroups->living_nr >= CGROUPS_LIVING_MAX || strlen(path) >= CGROUP_PATH_MAX) {
		cgroups->refused++;
		return false;
	}
	entry = xcalloc(1, sizeof(*entry));
	entry->pub.id = id;
	entry->pub.path = xstrdup(path);
	entry->at = cgroups->entry_nr;
	GROW(cgroups->entry, cgroups->entry_nr);
	cgroups->entry[cgroups->entry_nr++] = entry;
	cgroups->living_nr++;
	table_add(&cgroups->by_id, &entry->node, hash_u64(id));
	join(cgroups, &entry->pub);
	return true;
}

bool cgroups_add(struct cgroups *cgroups, uint64_t id, const char *path)
{
	cleanup(freep) char *normal = path_normal(path);
	struct entry *entry = find_entry(cgroups, id);

	if (entry && !entry->pub.gone_ns)
		return rename_entry(cgroups, entry, normal);
	if (entry)
		remove_entry(cgroups, entry);
	return add_entry(cgroups, id, normal);
}

static void entry_gone(struct cgroups *cgroups, struct entry *entry, int64_t now_ns)
{
	struct owner *owner = owner_of(&entry->pub);

	entry->pub.gone_ns = now_ns;
	cgroups->living_nr--;
	if (!owner) {
		remove_entry(cgroups, entry);
		return;
	}
	owner->tombstones++;
	owner->live--;
	if (owner->live == 0) {
		owner->pub.gone_ns = now_ns;
		cgroups->slotless -= owner->pub.slot == 0;
	} else if (owner->tombstones > CGROUPS_TOMBSTONES_MAX) {
		remove_entry(cgroups, entry);
	}
}

void cgroups_gone(struct cgroups *cgroups, uint64_t id, int64_t now_ns)
{
	struct entry *entry = find_entry(cgroups, id);

	if (entry && !entry->pub.gone_ns)
		entry_gone(cgroups, entry, now_ns);
}

static int compare_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void cgroups_keep_only(struct cgroups *cgroups, const uint64_t *seen, size_t seen_nr,
		       int64_t now_ns)
{
	/* From the end: what takes the place of a removed entry has been looked at. */
	for (size_t i = cgroups->entry_nr; i-- > 0;) {
		struct entry *entry = cgroups->entry[i];

		if (!entry->pub.gone_ns && (seen_nr == 0 || !bsearch(&entry->pub.id, seen, seen_nr,
								     sizeof(*seen), compare_id)))
			entry_gone(cgroups, entry, now_ns);
	}
}

void cgroups_bind(struct cgroups *cgroups, const struct plan *plan)
{
	plan_index_release(&cgroups->index);
	plan_index_init(&cgroups->index, plan);
	cgroups->plan = plan;
	for (size_t i = 0; i < cgroups->owner_nr; i++)
		container_bind(&cgroups->owner[i]->pub, plan, &cgroups->index);
	for (size_t i = 0; cgroups->index.path_nr && i < cgroups->entry_nr; i++)
		if (!cgroups->entry[i]->pub.container)
			join(cgroups, &cgroups->entry[i]->pub);
}

static void remove_owner(struct cgroups *cgroups, struct owner *owner)
{
	struct owner *last = cgroups->owner[--cgroups->owner_nr];

	cgroups->owner[owner->at] = last;
	last->at = owner->at;
	table_remove(&cgroups->by_path, &owner->node);
	if (owner->pub.slot)
		cgroups->slot[cgroups->slot_nr++] = owner->pub.slot;
	container_release(&owner->pub);
	free(owner);
}

static bool hand_out_slots(struct cgroups *cgroups)
{
	bool changed = false;

	for (size_t i = 0; cgroups->slotless && cgroups->slot_nr && i < cgroups->owner_nr; i++) {
		struct container *container = &cgroups->owner[i]->pub;

		if (container->slot || container->gone_ns)
			continue;
		container->slot = cgroups->slot[--cgroups->slot_nr];
		cgroups->slotless--;
		changed = true;
	}
	return changed;
}

bool cgroups_reap(struct cgroups *cgroups, int64_t now_ns,
		  void (*freed)(void *ctx, const struct container *container), void *ctx)
{
	for (size_t i = cgroups->entry_nr; i-- > 0;) {
		struct entry *entry = cgroups->entry[i];

		if (entry->pub.gone_ns && now_ns - entry->pub.gone_ns > CGROUP_TOMBSTONE_NS)
			remove_entry(cgroups, entry);
	}
	for (size_t i = cgroups->owner_nr; i-- > 0;) {
		struct owner *owner = cgroups->owner[i];

		if (owner->live + owner->tombstones > 0)
			continue;
		if (freed)
			freed(ctx, &owner->pub);
		remove_owner(cgroups, owner);
	}
	return hand_out_slots(cgroups);
}

bool cgroup_is_whole(const struct cgroup *cgroup)
{
	return cgroup && cgroup->container && cgroup->container->whole &&
	       cgroup->container->cgroup == cgroup->id;
}

const struct cgroup *cgroups_find(const struct cgroups *cgroups, uint64_t id)
{
	const struct entry *entry = find_entry(cgroups, id);

	return entry ? &entry->pub : NULL;
}

size_t cgroups_nr(const struct cgroups *cgroups)
{
	return cgroups->entry_nr;
}

const struct cgroup *cgroups_at(const struct cgroups *cgroups, size_t i)
{
	assert(i < cgroups->entry_nr);
	return &cgroups->entry[i]->pub;
}

size_t cgroups_container_nr(const struct cgroups *cgroups)
{
	return cgroups->owner_nr;
}

uint64_t cgroups_slots_missing(const struct cgroups *cgroups)
{
	return cgroups->slotless;
}

bool cgroups_full(const struct cgroups *cgroups)
{
	return cgroups->living_nr >= CGROUPS_LIVING_MAX;
}

uint64_t cgroups_refused(const struct cgroups *cgroups)
{
	return cgroups->refused;
}
