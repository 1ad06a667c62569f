/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/store/touch.h"

#include <string.h>

#include "controller/core/object/cid.h"

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool pod_equal(const struct object *a, const struct object *b)
{
	const struct pod *p = &a->pod, *q = &b->pod;

	if (strcmp(a->uid, b->uid) != 0 || !labels_equal(a->labels, b->labels) ||
	    p->done != q->done || p->lost != q->lost || !text_equal(p->node, q->node) ||
	    !text_equal(p->service, q->service) || !text_equal(p->workload, q->workload) ||
	    p->container_nr != q->container_nr)
		return false;
	for (size_t i = 0; i < p->container_nr; i++) {
		const struct pod_container *c = &p->container[i], *d = &q->container[i];

		if (!text_equal(c->name, d->name) || !cid_equal(c->cid, d->cid) ||
		    !text_equal(c->cgroup, d->cgroup))
			return false;
	}
	return true;
}

/* The same to us?  A policy's generation stands for its spec, so our own writes of status touch
 * nothing. */
static bool same(const struct object *old, const struct object *new)
{
	switch (new->kind) {
	case OBJECT_POLICY:
	case OBJECT_CLUSTER_POLICY:
		return old->generation == new->generation &&strcmp(old->uid, new->uid) == 0 &&
		       old->created_s == new->created_s && old->deleting == new->deleting;
	case OBJECT_NAMESPACE:
	case OBJECT_NODE:
		return labels_equal(old->labels, new->labels);
	case OBJECT_POD:
		return pod_equal(old, new);
	}
	return false;
}

static struct touch touch_pods(const struct object *old, const struct object *new)
{
	const char *from = old ? old->pod.node : NULL, *to = new ? new->pod.node : NULL;
	struct touch touch = { .ns = new ? new->ns : old->ns, .node = to ? to : from };

	if (!touch.node)
		return (struct touch){ .scope = TOUCH_NOTHING };
	touch.scope = TOUCH_PODS;
	if (from && to && strcmp(from, to) != 0)
		touch.old_node = from;
	return touch;
}

struct touch touch_of(const struct object *old, const struct object *new)
{
	const struct object *object = new ? new : old;

	if (!object || (old && new &&same(old, new)))
		return (struct touch){ .scope = TOUCH_NOTHING };
	switch (object->kind) {
	case OBJECT_POLICY:
		return (struct touch){ .scope = TOUCH_NS, .ns = object->ns };
	case OBJECT_CLUSTER_POLICY:
		return (struct touch){ .scope = TOUCH_ALL };
	case OBJECT_NAMESPACE:
		return (struct touch){ .scope = TOUCH_NS, .ns = object->name };
	case OBJECT_NODE:
		return (struct touch){ .scope = TOUCH_NODE, .node = object->name };
	case OBJECT_POD:
		break;
	}
	return touch_pods(old, new);
}
