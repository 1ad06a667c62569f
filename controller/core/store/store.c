/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/store/store.h"

#include <assert.h>
#include <string.h>

#include "controller/core/store/named.h"
#include "controller/core/store/pod_pack.h"
#include "lib/core/limits.h"

struct ns {
	struct named named;
	struct object *object; /* the Namespace; NULL = not seen */
	struct object_list policies, pods;
	struct boost_clock *clock; /* of the policies, in the same order */
	struct share share;	   /* of them; made when it is asked for */
	bool share_stale;
	size_t label_bytes; /* of the pods, with what they share counted for each */
};

struct node {
	struct named named;
	struct object *object; /* the Node; NULL = not seen */
	struct object_list pods;
};

struct store {
	struct named_list ns, node;
	struct object_list cluster;
	struct shared_texts *texts; /* of the pods */
	struct object
		*gone; /* what the last change put away: the touch it returned points into it */
};

/* --- namespaces and nodes: they are there while something is known of them --- */

static struct ns *ns_find(const struct store *store, const char *name)
{
	return named_find(&store->ns, name);
}

static struct ns *ns_get(struct store *store, const char *name)
{
	return named_get(&store->ns, name, sizeof(struct ns));
}

static void ns_free(struct ns *ns, struct shared_texts *texts)
{
	for (size_t i = 0; i < ns->pods.nr; i++)
		pod_packed_free(ns->pods.object[i], texts);
	object_list_release(&ns->pods, false);
	object_list_release(&ns->policies, true);
	object_free(ns->object);
	free(ns->clock);
	share_release(&ns->share);
	free(ns->named.name);
	free(ns);
}

static void ns_drop_if_empty(struct store *store, const char *name)
{
	struct ns *ns = ns_find(store, name);

	if (!ns || ns->object || ns->policies.nr || ns->pods.nr)
		return;
	named_take(&store->ns, name);
	ns_free(ns, store->texts);
}

static struct node *node_find(const struct store *store, const char *name)
{
	return named_find(&store->node, name);
}

static struct node *node_get(struct store *store, const char *name)
{
	return named_get(&store->node, name, sizeof(struct node));
}

static void node_free(struct node *node)
{
	object_list_release(&node->pods, false);
	object_free(node->object);
	free(node->named.name);
	free(node);
}

static void node_drop_if_empty(struct store *store, const char *name)
{
	struct node *node = node_find(store, name);

	if (!node || node->object || node->pods.nr)
		return;
	named_take(&store->node, name);
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
	for (size_t i = 0; i < store->ns.nr; i++)
		ns_free((struct ns *)store->ns.item[i], store->texts);
	for (size_t i = 0; i < store->node.nr; i++)
		node_free((struct node *)store->node.item[i]);
	free(store->ns.item);
	free(store->node.item);
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

/* A pod whose labels have no room in its namespace's share is kept without any. */
static void share_labels(const struct store *store, struct object *pod)
{
	const struct ns *ns = ns_find(store, pod->ns);
	const struct object *old = ns ? object_list_find(&ns->pods, pod->ns, pod->name) : NULL;
	size_t others = ns ? ns->label_bytes - labels_size(old ? old->labels : NULL) : 0;

	if (others + labels_size(pod->labels) <= LIMIT_NS_LABEL_BYTES)
		return;
	free(TAKE_PTR(pod->labels));
	pod->pod.lost |= 1U << POD_LOST_LABELS;
}

static struct object *put_pod(struct store *store, struct object *object)
{
	struct ns *ns = ns_get(store, object->ns);
	struct object *old = object_list_put(&ns->pods, object);

	ns->label_bytes += labels_size(object->labels) - labels_size(old ? old->labels : NULL);

	if (old && old->pod.node) {
		object_list_take(&node_find(store, old->pod.node)->pods, old->ns, old->name);
		node_drop_if_empty(store, old->pod.node);
	}
	if (object->pod.node)
		object_list_put(&node_get(store, object->pod.node)->pods, object);
	return old;
}

/* A boost keeps its clock in its run: while uid and generation are the same. */
static struct object *put_policy(struct ns *ns, struct object *object)
{
	struct object *old = object_list_put(&ns->policies, object);
	size_t at = object_list_place(&ns->policies, object->ns, object->name);
	size_t before_nr = ns->policies.nr - 1;

	if (!old) {
		GROW(ns->clock, before_nr);
		memmove(&ns->clock[at + 1], &ns->clock[at], (before_nr - at) * sizeof(*ns->clock));
	}
	ns->share_stale = true;
	if (!old || old->generation != object->generation || strcmp(old->uid, object->uid) != 0)
		ns->clock[at] = (struct boost_clock){ 0 };
	return old;
}

static struct object *put(struct store *store, struct object *object)
{
	switch (object->kind) {
	case OBJECT_POLICY:
		return put_policy(ns_get(store, object->ns), object);
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

	if (old)
		entry->label_bytes -= labels_size(old->labels);
	if (old && old->pod.node) {
		object_list_take(&node_find(store, old->pod.node)->pods, ns, name);
		node_drop_if_empty(store, old->pod.node);
	}
	return old;
}

static struct object *take_policy(struct ns *ns, const char *name)
{
	size_t at = object_list_place(&ns->policies, ns->named.name, name);
	struct object *old = object_list_take(&ns->policies, ns->named.name, name);

	if (!old)
		return NULL;
	memmove(&ns->clock[at], &ns->clock[at + 1], (ns->policies.nr - at) * sizeof(*ns->clock));
	ns->share_stale = true;
	return old;
}

static struct object *take(struct store *store, enum object_kind kind, const char *ns,
			   const char *name)
{
	struct ns *in_ns = ns_find(store, kind == OBJECT_NAMESPACE ? name : ns);
	struct node *node;

	switch (kind) {
	case OBJECT_POLICY:
		return in_ns ? take_policy(in_ns, name) : NULL;
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

	if (object->kind == OBJECT_POD) {
		share_labels(store, object);
		object = pod_pack(object, store->texts);
	}
	old = put(store, object);
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

	assert(entry && object_list_find(&entry->policies, ns, name));
	entry->clock[object_list_place(&entry->policies, ns, name)] = *clock;
	if (!entry->share_stale)
		entry->share_stale = !share_set_clock(&entry->share, ns, name, clock);
	return (struct touch){ .scope = TOUCH_NS, .ns = entry->named.name };
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

const struct share *store_share(const struct store *store, const char *ns, int64_t now_ns)
{
	static const struct share none = { .until_ns = INT64_MAX };
	struct ns *entry = ns_find(store, ns);

	if (!entry || !entry->policies.nr)
		return &none;
	if (entry->share_stale || now_ns >= entry->share.until_ns) {
		share_release(&entry->share);
		share_make(&entry->share, &entry->policies, entry->clock, now_ns);
		entry->share_stale = false;
	}
	return &entry->share;
}

const struct boost_clock *store_clock(const struct store *store, const char *ns, const char *name)
{
	static const struct boost_clock none;
	const struct ns *entry = ns_find(store, ns);

	if (!entry || !object_list_find(&entry->policies, ns, name))
		return &none;
	return &entry->clock[object_list_place(&entry->policies, ns, name)];
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
	return store->ns.nr;
}

const char *store_ns_name(const struct store *store, size_t i)
{
	return store->ns.item[i]->name;
}

size_t store_node_nr(const struct store *store)
{
	return store->node.nr;
}

const char *store_node_name(const struct store *store, size_t i)
{
	return store->node.item[i]->name;
}

bool store_has_node(const struct store *store, const char *node)
{
	return node_find(store, node) != NULL;
}
