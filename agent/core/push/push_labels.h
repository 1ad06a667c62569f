/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PUSH_PUSH_LABELS_H
#define AGENT_CORE_PUSH_PUSH_LABELS_H

/* The labels of a profile as Pyroscope and Parca want them: __name__ (process_cpu), service_name, namespace, pod,
 * container, node, those that the user adds, and the pod labels of the allow-list.  Pure.
 *
 * Names become those of Prometheus ("app.kubernetes.io/name" is app_kubernetes_io_name); of two with one name the
 * first stays, so a pod cannot rename its namespace.  Values are cleaned and cut.  A label without a value is left out.
 *
 * Pod labels are the tenants': of each in one namespace at most `value_max` values are known at a time, and one
 * more is PUSH_LABEL_OTHER.  A value that was not seen for PUSH_LABEL_FORGET_NS makes room.
 */

#include "agent/core/profile/profile.h"
#include "lib/core/base.h"
#include "lib/core/err.h"
#include "lib/core/plan/plan.h"

#define PUSH_LABELS 30	      /* Pyroscope's bound of one series */
#define PUSH_LABELS_ADDED 8   /* by the user */
#define PUSH_LABEL_BYTES 1024 /* of a name or a value */
#define PUSH_LABEL_OTHER "_other"
#define PUSH_LABEL_FORGET_NS (3600 * NSEC_PER_SEC)

struct push_label {
	char *name, *value;
};

struct push_labels {
	struct push_label label[PUSH_LABELS]; /* sorted by name */
	size_t nr;
};

/* What has been seen of pod labels, and what the user adds. */
struct push_labeler;

/* `added` are "NAME=VALUE" and stay the caller's. */
struct push_labeler *push_labeler_new(const char *const *added, size_t added_nr,
				      uint32_t value_max);
void push_labeler_free(struct push_labeler *labeler);
/* How many values have become PUSH_LABEL_OTHER; only grows. */
uint64_t push_labeler_folded(const struct push_labeler *labeler);

/* "NAME=VALUE" of the user: -EINVAL with a sentence when it is none. */
must_check int push_label_check(const char *text, struct err *err);

/* ret_labels is the caller's to release. */
void push_labels_make(struct push_labeler *labeler, const struct profile_meta *meta, int64_t now_ns,
		      struct push_labels *ret_labels);
void push_labels_release(struct push_labels *labels);

#endif
