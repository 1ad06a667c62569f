/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/reconcile_priv.h"

#include <string.h>

#include "lib/log.h"
#include "lib/loop.h"

/* What the source says: it goes into the store, and what it touched is compiled anew. */

static bool is_policy(enum object_kind kind)
{
	return kind == OBJECT_POLICY || kind == OBJECT_CLUSTER_POLICY;
}

/* What was good of it is no more in force. */
static void drop_good(struct reconcile *reconcile, struct tracked *item)
{
	struct touch touch;

	reconcile_count_end(reconcile, item, OUTCOME_DELETED);
	touch = store_delete(reconcile->store, item->kind, item->ns, item->name);
	compiler_touch(reconcile->compiler, reconcile->store, &touch);
	item->generation = 0;
}

/* Another object of the same name: the deletion of the one before was missed. */
static void drop_other(struct reconcile *reconcile, struct tracked *item, const char *uid)
{
	const struct object *good = reconcile_object(reconcile, item);
	const struct object *last = item->refused ? item->refused->object : good;

	if (!last || strcmp(last->uid, uid) == 0)
		return;
	if (good)
		drop_good(reconcile, item);
	tracked_accept(item);
	json_decref(TAKE_PTR(item->full));
}

static void track(struct reconcile *reconcile, struct manifest_doc *doc)
{
	const struct object *object = doc->object;
	const json_t *status = reconcile_stored_status(reconcile, object);
	struct tracked *item;

	reconcile->statuses.ops->identify(reconcile->statuses.ctx, doc,
					  now_wall_ns() / NSEC_PER_SEC);
	item = tracked_find_or_add(&reconcile->tracked, object->kind, object->ns, object->name);
	drop_other(reconcile, item, object->uid);
	tracked_accept(item);
	if (item->generation == object->generation)
		return;
	reconcile_count_end(reconcile, item, OUTCOME_EDITED);
	/* A generation of 0 is new here; with a stored status of it, an earlier process has seen it. */
	item->inherited = item->generation == 0 && !status_is_refusal(status) &&
			  json_integer_value(json_object_get(status, "observedGeneration")) ==
				  object->generation;
	item->generation = object->generation;
	item->seen_ns = now_boot_ns();
	item->confirmed = false;
	log_info(item->inherited ? "policy known" : "policy seen",
		 LOG_STR("kind", object_kind_name(object->kind)), LOG_STR("namespace", object->ns),
		 LOG_STR("name", object->name), LOG_INT("generation", object->generation));
}

static void on_apply(void *ctx, struct manifest_doc *doc)
{
	struct reconcile *reconcile = ctx;
	struct touch touch;

	if (is_policy(doc->object->kind))
		track(reconcile, doc);
	touch = store_apply(reconcile->store, TAKE_PTR(doc->object));
	compiler_touch(reconcile->compiler, reconcile->store, &touch);
}

void reconcile_refuse(struct reconcile *reconcile, struct object *outline, const char *why)
{
	struct tracked *item =
		tracked_find_or_add(&reconcile->tracked, outline->kind, outline->ns, outline->name);

	drop_other(reconcile, item, outline->uid);
	if (outline->deleting && reconcile_object(reconcile, item))
		drop_good(reconcile, item);
	if (tracked_refuse(item, outline, why))
		log_warn("policy refused", LOG_STR("kind", object_kind_name(outline->kind)),
			 LOG_STR("namespace", outline->ns), LOG_STR("name", outline->name),
			 LOG_INT("generation", outline->generation),
			 LOG_INT("in_force", item->generation), LOG_STR("why", why));
}

static void on_remove(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	struct reconcile *reconcile = ctx;
	struct tracked *item = tracked_find(&reconcile->tracked, kind, ns, name);
	struct touch touch;

	if (item)
		reconcile_count_end(reconcile, item, OUTCOME_DELETED);
	touch = store_delete(reconcile->store, kind, ns, name);
	compiler_touch(reconcile->compiler, reconcile->store, &touch);
	if (!item)
		return;
	log_info("policy deleted", LOG_STR("kind", object_kind_name(kind)),
		 LOG_STR("namespace", ns), LOG_STR("name", name));
	tracked_remove(&reconcile->tracked, item);
	reconcile->statuses.ops->remove(reconcile->statuses.ctx, kind, ns, name);
}

struct key {
	char *ns, *name;
};

static void unless_kept(const struct key_set *keep, const char *ns, const char *name,
			struct key **key, size_t *nr)
{
	if (key_set_has(keep, ns, name))
		return;
	GROW(*key, *nr);
	(*key)[(*nr)++] = (struct key){ .ns = xstrdup(ns), .name = xstrdup(name) };
}

static struct key *vanished_policies(const struct reconcile *reconcile, enum object_kind kind,
				     const struct key_set *keep, size_t *ret_nr)
{
	struct key *key = NULL;

	*ret_nr = 0;
	for (size_t i = 0; i < reconcile->tracked.nr; i++) {
		const struct tracked *item = &reconcile->tracked.item[i];

		if (item->kind == kind)
			unless_kept(keep, item->ns, item->name, &key, ret_nr);
	}
	return key;
}

/* Those of the kind that are not in `keep`; the names are copies, since removing changes the store. */
static struct key *vanished(const struct reconcile *reconcile, enum object_kind kind,
			    const struct key_set *keep, size_t *ret_nr)
{
	const struct store *store = reconcile->store;
	struct key *key = NULL;

	if (is_policy(kind))
		return vanished_policies(reconcile, kind, keep, ret_nr);
	*ret_nr = 0;
	if (kind == OBJECT_NODE)
		for (size_t i = 0; i < store_node_nr(store); i++)
			unless_kept(keep, "", store_node_name(store, i), &key, ret_nr);
	for (size_t n = 0; kind != OBJECT_NODE && n < store_ns_nr(store); n++) {
		const char *ns = store_ns_name(store, n);
		struct object_list list = { 0 };

		if (kind == OBJECT_NAMESPACE)
			unless_kept(keep, "", ns, &key, ret_nr);
		else
			list = store_pods_of_ns(store, ns);
		for (size_t i = 0; i < list.nr; i++)
			unless_kept(keep, ns, list.object[i]->name, &key, ret_nr);
	}
	return key;
}

void reconcile_sweep(struct reconcile *reconcile, enum object_kind kind, const struct key_set *keep)
{
	size_t nr;
	struct key *key = vanished(reconcile, kind, keep, &nr);

	for (size_t i = 0; i < nr; i++) {
		on_remove(reconcile, kind, key[i].ns, key[i].name);
		free(key[i].ns);
		free(key[i].name);
	}
	free(key);
}

static void on_settled(void *ctx)
{
	reconcile_run(ctx);
	reconcile_status_all(ctx);
}

const struct source_dir_events reconcile_source_events = {
	.sink = { .apply = on_apply, .remove = on_remove },
	.settled = on_settled,
};

void reconcile_source_complete(struct reconcile *reconcile)
{
	reconcile->statuses.ops->sweep(reconcile->statuses.ctx);
}
