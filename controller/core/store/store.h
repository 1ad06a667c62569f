/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STORE_STORE_H
#define CONTROLLER_CORE_STORE_STORE_H

/* What the controller knows of the cluster: the objects, by (kind, namespace, name); pods by namespace and by node too.
 * Every list is in canonical order (by name), so the order of arrival never matters.
 *
 * A change tells what it touches, so that only that is compiled again.  Lists, objects and the strings of a touch stay
 * valid until the store changes.
 *
 * Of labels a namespace has a share, LIMIT_NS_LABEL_BYTES for its pods.  A pod that comes when it is used up is kept
 * without any (POD_LOST_LABELS), until it changes when there is room again.
 */

#include "controller/core/object/clock.h"
#include "controller/core/object/model.h"
#include "controller/core/store/object_list.h"
#include "controller/core/store/share.h"
#include "controller/core/store/touch.h"
#include "lib/core/base.h"

struct store;

struct store *store_new(void);
void store_free(struct store *store);

/* Take `object` over: add it, or replace the one of the same kind, namespace and name.  The pointer to a pod is void
 * then: the store keeps it in a form of its own (pod_pack.h).  A boost keeps its clock when neither uid nor generation
 * changed; otherwise its clock is to be started (clock.h). */
struct touch store_apply(struct store *store, struct object *object);

/* Forget an object; TOUCH_NOTHING when there is none. */
struct touch store_delete(struct store *store, enum object_kind kind, const char *ns,
			  const char *name);

/* Give a policy's boost its clock.  The policy must be there. */
struct touch store_set_clock(struct store *store, const char *ns, const char *name,
			     const struct boost_clock *clock);

/* NULL when there is none.  `ns` is "" for cluster-scoped kinds. */
const struct object *store_find(const struct store *store, enum object_kind kind, const char *ns,
				const char *name);

/* Policies and pods are listed per namespace; the namespaces that hold any are among store_ns_name()s. */
struct object_list store_cluster_policies(const struct store *store);
struct object_list store_policies(const struct store *store, const char *ns);
/* Those of them that are in the namespace's share at now_ns (CLOCK_BOOTTIME), which does not go back.  Valid until the
 * store changes or is asked again at a later time. */
const struct share *store_share(const struct store *store, const char *ns, int64_t now_ns);
/* The clock of a boost; all zeros when it was not set yet, and of whatever is no boost. */
const struct boost_clock *store_clock(const struct store *store, const char *ns, const char *name);
struct object_list store_pods_of_ns(const struct store *store, const char *ns);
struct object_list store_pods_on_node(const struct store *store,
				      const char *node); /* by (ns, name) */

/* Names known from an object or because something is in (on) them; sorted; pointers into the store. */
size_t store_ns_nr(const struct store *store);
const char *store_ns_name(const struct store *store, size_t i);
size_t store_node_nr(const struct store *store);
const char *store_node_name(const struct store *store, size_t i);

/* Is there anything on the node, or a Node object of that name? */
bool store_has_node(const struct store *store, const char *node);

#endif
