/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/reconcile/reconcile_priv.h"

#include <string.h>

/* After a sync: what the source did not name is no more. */

#define PODS_AT_ONCE 2000

/* --- policies, nodes, namespaces: all at once --- */

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

/* The names are copies, since removing changes the store. */
static struct key *vanished(const struct reconcile *reconcile, enum object_kind kind,
			    const struct key_set *keep, size_t *ret_nr)
{
	const struct store *store = reconcile->store;
	struct key *key = NULL;

	if (kind == OBJECT_POLICY || kind == OBJECT_CLUSTER_POLICY)
		return vanished_policies(reconcile, kind, keep, ret_nr);
	*ret_nr = 0;
	for (size_t i = 0; kind == OBJECT_NODE && i < store_node_nr(store); i++)
		unless_kept(keep, "", store_node_name(store, i), &key, ret_nr);
	for (size_t i = 0; kind == OBJECT_NAMESPACE && i < store_ns_nr(store); i++)
		unless_kept(keep, "", store_ns_name(store, i), &key, ret_nr);
	return key;
}

static void sweep_all(struct reconcile *reconcile, enum object_kind kind,
		      const struct key_set *keep)
{
	size_t nr;
	struct key *key = vanished(reconcile, kind, keep, &nr);

	for (size_t i = 0; i < nr; i++) {
		reconcile_remove(reconcile, kind, key[i].ns, key[i].name);
		free(key[i].ns);
		free(key[i].name);
	}
	free(key);
}

/* --- pods --- */

/* Go to the first namespace, or the next one.  False when there is none. */
static bool next_ns(const struct store *store, struct sweep_at *at)
{
	cleanup(freep) char *last = TAKE_PTR(at->ns);

	at->next = 0;
	for (size_t i = 0; i < store_ns_nr(store); i++) {
		const char *ns = store_ns_name(store, i);

		if (last && strcmp(ns, last) <= 0)
			continue;
		at->ns = xstrdup(ns);
		return true;
	}
	return false;
}

/* Returns how many more pods may be looked at; 0: it may not be the end of the namespace. */
static size_t sweep_ns(struct reconcile *reconcile, const struct key_set *keep, struct sweep_at *at,
		       size_t left)
{
	struct object_list list = store_pods_of_ns(reconcile->store, at->ns);

	for (; left && at->next < list.nr; left--) {
		const char *name = list.object[at->next]->name;

		if (key_set_has(keep, at->ns, name)) {
			at->next++;
			continue;
		}
		reconcile_remove(reconcile, OBJECT_POD, at->ns, name);
		list = store_pods_of_ns(reconcile->store, at->ns);
	}
	return left;
}

static bool sweep_pods(struct reconcile *reconcile, const struct key_set *keep, struct sweep_at *at)
{
	size_t left = PODS_AT_ONCE;

	if (!at->ns && !next_ns(reconcile->store, at))
		return true;
	while ((left = sweep_ns(reconcile, keep, at, left)) > 0)
		if (!next_ns(reconcile->store, at))
			return true;
	return false;
}

bool reconcile_sweep(void *ctx, enum object_kind kind, const struct key_set *keep,
		     struct sweep_at *at)
{
	struct reconcile *reconcile = ctx;

	if (kind == OBJECT_POD)
		return sweep_pods(reconcile, keep, at);
	sweep_all(reconcile, kind, keep);
	return true;
}
