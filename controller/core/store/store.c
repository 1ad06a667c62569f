/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/store/store.h"

#include <assert.h>
#include <string.h>

#include "controller/core/store/pod_pack.h"

struct ns {
	char *name;
	struct object *object; /* the Namespace; NULL = not seen */
	struct object_list policies, pods;
};

struct node {
	char *name;
	struct object *object; /* the Node; NULL = not seen */
	struct object_list pods;
};

struct store {
	struct ns **ns; /* by name; as node and all lists */
	size_t ns_nr;
	struct node **node;
	size_t node_nr;
	struct object_list cluster;
	struct shared_texts *texts; /* of the pods */
	struct object
		*gone; /* what the last change put away: the touch it returned points into it */
};

/* --- namespaces and nodes: they are there while something is known of them --- */

static size_t ns_seek(const struct store *store, const char *name, bool *ret_found)
{
	size_t low = 0, high = store->ns_nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(store->ns[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = low < store->ns_nr && strcmp(store->ns[low]->name, name) == 0;
	return low;
}

static struct ns *ns_find(const struct store *store, const char *name)
{
	bool found;
	size_t at = ns_seek(store, name, &found);

	return found ? store->ns[at] : NULL;
}

static struct ns *ns_get(struct store *store, const char *name)
{
	bool found;
	size_t at = ns_seek(store, name, &found);

	if (found)
		return store->ns[at];
	GROW(store->ns, store->ns_nr);
	memmove(&store->ns[at + 1], &store->ns[at], (store->ns_nr - at) * sizeof(*store->ns));
	store->ns[at] = xcalloc(1, sizeof(**store->ns));
	store->ns[at]->name = xstrdup(name);
	store->ns_nr++;
	return store->ns[at];
}

static void ns_free(struct ns *ns, struct shared_texts *texts)
{
	for (size_t i = 0; i < ns->pods.nr; i++)
		pod_packed_free(ns->pods.object[i], texts);
	object_list_release(&ns->pods, false);
	object_list_release(&ns->policies, true);
	object_free(ns->object);
	free(ns->name);
	free(ns);
}

static void ns_drop_if_empty(struct store *store, const char *name)
{
	bool found;
	size_t at = ns_seek(store, name, &found);
	struct ns *ns = found ? store->ns[at] : NULL;

	if (!ns || ns->object || ns->policies.nr || ns->pods.nr)
		return;
	store->ns_nr--;
	memmove(&store->ns[at], &store->ns[at + 1], (store->ns_nr - at) * sizeof(*store->ns));
	ns_free(ns, store->texts);
}

static size_t node_seek(const struct store *store, const char *name, bool *ret_found)
{
	size_t low = 0, high = store->node_nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(store->node[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = low < store->node_nr && strcmp(store->node[low]->name, name) == 0;
	return low;
}

static struct node *node_find(const struct store *store, const char *name)
{
	bool found;
	size_t at = node_seek(store, name, &found);

	return found ? store->node[at] : NULL;
}

static struct node *node_get(struct store *store, const char *name)
{
	bool found;
	size_t at = node_seek(store, name, &found);

	if (found)
		return store->node[at];
	GROW(store->node, store->node_nr);
	memmove(&store->node[at + 1], &store->node[at],
		(store->node_nr - at) * sizeof(*store->node));
	store->node[at] = xcalloc(1, sizeof(**store->node));
	store->node[at]->name = xstrdup(name);
	store->node_nr++;
	return store->node[at];
}

static void node_free(struct node *node)
{
	object_list_release(&node->pods, false);
	object_free(node->object);
	free(node->name);
	free(node);
}

static void node_drop_if_empty(struct store *store, const char *name)
{
	bool found;
	size_t at = node_seek(store, name, &found);
	struct node *node = found ? store->node[at] : NULL;

	if (!node || node->object || node->pods.nr)
		return;
	store->node_nr--;
	memmove(&store->node[at], &store->node[at + 1],
		(store->node_nr - at) * sizeof(*store->node));
	node_free(node);
}

/* --- the store --- */

struct store *store_new(void)
{
	struct store *store = xcalloc(1, sizeof(*store));

	store->texts = shared_texts_new();
	return store;
}

/* Put an object away: what a touch points to stays until the next change. */
static void set_gone(struct store *store, struct object *object)
{
	struct object *before = store->gone;

	store->gone = object;
	if (before && before->packed)
		pod_packed_free(before, store->texts);
	else
		object_free(before);
}

void store_free(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->ns_nr; i++)
		ns_free(store->ns[i], store->texts);
	for (size_t i = 0; i < store->node_nr; i++)
		node_free(store->node[i]);
	free(store->ns);
	free(store->node);
	object_list_release(&store->cluster, true);
	set_gone(store, NULL);
	shared_texts_free(store->texts);
	free(store);
}

static struct object *swap(struct object **slot, struct object *object)
{
	struct object *old = *slot;

	*slot = object;
	return old;
}

static struct object *put_pod(struct store *store, struct object *object)
{
	struct object *old = object_list_put(&ns_get(store, object->ns)->pods, object);

	if (old && old->pod.node) {
		object_list_take(&node_find(store, old->pod.node)->pods, old->ns, old->name);
		node_drop_if_empty(store, old->pod.node);
	}
	if (object->pod.node)
		object_list_put(&node_get(store, object->pod.node)->pods, object);
	return old;
}

static struct object *put(struct store *store, struct object *object)
{
	switch (object->kind) {
	case OBJECT_POLICY:
		return object_list_put(&ns_get(store, object->ns)->policies, object);
	case OBJECT_CLUSTER_POLICY:
		return object_list_put(&store->cluster, object);
	case OBJECT_NAMESPACE:
		return swap(&ns_get(store, object->name)->object, object);
	case OBJECT_NODE:
		return swap(&node_get(store, object->name)->object, object);
	case OBJECT_POD:
		return put_pod(store, object);
	}
	return NULL;
}

static struct object *take_pod(struct store *store, const char *ns, const char *name)
{
	struct ns *entry = ns_find(store, ns);
	struct object *old = entry ? object_list_take(&entry->pods, ns, name) : NULL;

	if (old && old->pod.node) {
		object_list_take(&node_find(store, old->pod.node)->pods, ns, name);
		node_drop_if_empty(store, old->pod.node);
	}
	return old;
}

static struct object *take(struct store *store, enum object_kind kind, const char *ns,
			   const char *name)
{
	struct ns *in_ns = ns_find(store, kind == OBJECT_NAMESPACE ? name : ns);
	struct node *node;

	switch (kind) {
	case OBJECT_POLICY:
		return in_ns ? object_list_take(&in_ns->policies, ns, name) : NULL;
	case OBJECT_CLUSTER_POLICY:
		return object_list_take(&store->cluster, ns, name);
	case OBJECT_NAMESPACE:
		return in_ns ? swap(&in_ns->object, NULL) : NULL;
	case OBJECT_NODE:
		node = node_find(store, name);
		return node ? swap(&node->object, NULL) : NULL;
	case OBJECT_POD:
		return take_pod(store, ns, name);
	}
	return NULL;
}

/* --- changes --- */

struct touch store_apply(struct store *store, struct object *object)
{
	struct object *old;

	if (object->kind == OBJECT_POD)
		object = pod_pack(object, store->texts);
	old = put(store, object);
	if (object->kind == OBJECT_POLICY && old && old->generation == object->generation &&
	    strcmp(old->uid, object->uid) == 0)
		object->policy.clock = old->policy.clock;
	set_gone(store, old);
	return touch_of(old, object);
}

struct touch store_delete(struct store *store, enum object_kind kind, const char *ns,
			  const char *name)
{
	struct object *old = take(store, kind, ns, name);

	set_gone(store, old);
	if (!old)
		return (struct touch){ .scope = TOUCH_NOTHING };
	if (kind == OBJECT_NODE)
		node_drop_if_empty(store, old->name);
	else
		ns_drop_if_empty(store, kind == OBJECT_NAMESPACE ? old->name : old->ns);
	return touch_of(old, NULL);
}

struct touch store_set_clock(struct store *store, const char *ns, const char *name,
			     const struct boost_clock *clock)
{
	struct ns *entry = ns_find(store, ns);
	struct object *object = entry ? object_list_find(&entry->policies, ns, name) : NULL;

	assert(object);
	object->policy.clock = *clock;
	return (struct touch){ .scope = TOUCH_NS, .ns = object->ns };
}

/* --- reading --- */

const struct object *store_find(const struct store *store, enum object_kind kind, const char *ns,
				const char *name)
{
	const struct ns *in_ns = ns_find(store, kind == OBJECT_NAMESPACE ? name : ns);
	const struct node *node;

	switch (kind) {
	case OBJECT_POLICY:
		return in_ns ? object_list_find(&in_ns->policies, ns, name) : NULL;
	case OBJECT_CLUSTER_POLICY:
		return object_list_find(&store->cluster, ns, name);
	case OBJECT_NAMESPACE:
		return in_ns ? in_ns->object : NULL;
	case OBJECT_NODE:
		node = node_find(store, name);
		return node ? node->object : NULL;
	case OBJECT_POD:
		return in_ns ? object_list_find(&in_ns->pods, ns, name) : NULL;
	}
	return NULL;
}

struct object_list store_cluster_policies(const struct store *store)
{
	return store->cluster;
}

struct object_list store_policies(const struct store *store, const char *ns)
{
	const struct ns *entry = ns_find(store, ns);

	return entry ? entry->policies : (struct object_list){ 0 };
}

struct object_list store_pods_of_ns(const struct store *store, const char *ns)
{
	const struct ns *entry = ns_find(store, ns);

	return entry ? entry->pods : (struct object_list){ 0 };
}

struct object_list store_pods_on_node(const struct store *store, const char *node)
{
	const struct node *entry = node_find(store, node);

	return entry ? entry->pods : (struct object_list){ 0 };
}

size_t store_ns_nr(const struct store *store)
{
	return store->ns_nr;
}

const char *store_ns_name(const struct store *store, size_t i)
{
	return store->ns[i]->name;
}

size_t store_node_nr(const struct store *store)
{
	return store->node_nr;
}

const char *store_node_name(const struct store *store, size_t i)
{
	return store->node[i]->name;
}

bool store_has_node(const struct store *store, const char *node)
{
	return node_find(store, node) != NULL;
}
