/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_WATCH_LIST_SPLIT_H
#define KUBE_CORE_WATCH_LIST_SPLIT_H

/* The body of a LIST, cut into its metadata and one item at a time, so that a list of any length needs
 * memory for its largest item only.  Only the outer object is looked at; what is cut out still has to be
 * parsed, and need not be JSON; an item that is too long passes by.  Pieces may end anywhere.  `items` may be null, missing, and before or after
 * `metadata`.  Pure. */

#include "kube/core/watch/object_scan.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

enum list_part {
	LIST_MORE,     /* nothing whole is left: feed */
	LIST_ITEM,     /* one element of items */
	LIST_TOO_LONG, /* one that is not held: `scan` says whose it was */
	LIST_METADATA, /* the list's metadata */
	LIST_END,      /* the outer object has ended */
};

struct list_split {
	char *buf;
	size_t len, room;
	size_t begin; /* of what is being cut out */
	size_t at;    /* the next byte to look at */
	size_t max;
	int state;
	int depth; /* of the value being passed */
	bool in_string, escaped;
	bool wanted; /* the value is metadata or items */
	bool is_items;
	bool passing; /* the item is too long: it passes by */
	struct object_scan scan;
};

/* `max`: bytes of the largest item (or metadata) that is taken. */
void list_split_init(struct list_split *split, size_t max);
void list_split_release(struct list_split *split);
void list_split_reset(struct list_split *split);

/* Add what came; parts returned before are void.  All parts should have been taken before. */
void list_split_feed(struct list_split *split, const char *data, size_t len);

/* The next part; its text is borrowed until list_split_feed().  -EINVAL when it is no list, -EMSGSIZE
 * when its metadata is too large; after an error only a reset helps. */
must_check int list_split_next(struct list_split *split, enum list_part *ret_part,
			       const char **ret_text, size_t *ret_len, struct err *err);

#endif
