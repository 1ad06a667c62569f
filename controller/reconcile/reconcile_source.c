/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/reconcile/reconcile_priv.h"

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
	/* The API server raises the generation for that too. */
	if (object->deleting)
		reconcile_count_end(reconcile, item, OUTCOME_DELETED);
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

static void on_refuse(void *ctx, struct object *outline, const char *why)
{
	struct reconcile *reconcile = ctx;
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

void reconcile_remove(struct reconcile *reconcile, enum object_kind kind, const char *ns,
		      const char *name)
{
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

static void on_remove(void *ctx, enum object_kind kind, const char *ns, const char *name)
{
	reconcile_remove(ctx, kind, ns, name);
}

static void on_settled(void *ctx)
{
	reconcile_run(ctx);
	reconcile_status_all(ctx);
}

static void on_complete(void *ctx)
{
	struct reconcile *reconcile = ctx;

	reconcile->statuses.ops->sweep(reconcile->statuses.ctx);
}

struct source_sink reconcile_sink(struct reconcile *reconcile)
{
	return (struct source_sink){
		.ctx = reconcile,
		.apply = on_apply,
		.remove = on_remove,
		.refuse = on_refuse,
		.sweep = reconcile_sweep,
		.settled = on_settled,
		.complete = on_complete,
		.stored = reconcile_stored_later,
	};
}
