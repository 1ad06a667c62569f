/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_OBJECT_SELECTOR_H
#define CONTROLLER_CORE_OBJECT_SELECTOR_H

/* Labels, and Kubernetes label selectors over them.
 *
 * Labels are packed, since there are many: "key\0value\0key\0value\0\0", sorted by key; NULL =
 * none.
 *
 * A selector is the AND of its terms.  As in Kubernetes:
 *	In		the key is there and its value is one of the values
 *	NotIn		the key is missing, or its value is none of the values
 *	Exists		the key is there
 *	DoesNotExist	the key is missing
 * matchLabels {k: v} is the term k In [v].  A selector without terms matches everything.  So does
 * an absent one in this API; the two are the same to us (`selector: {}` narrows nothing, hence it
 * ranks with the policies that have no selector).
 */

#include "lib/core/base.h"
#include "lib/core/err.h"

#include <jansson.h>

enum selector_op {
	SELECTOR_IN,
	SELECTOR_NOT_IN,
	SELECTOR_EXISTS,
	SELECTOR_NOT_EXISTS,
};

struct selector_term {
	char *key;
	enum selector_op op;
	char **value;
	size_t value_nr;
};

/* No terms (all zeros) = everything. */
struct selector {
	struct selector_term *term;
	size_t term_nr;
};

/* Pack a JSON object of strings; members that are not strings are left out.  NULL when none is
 * left. */
char *labels_pack(const json_t *object);

/* The value of `key`, or NULL. */
const char *labels_get(const char *labels, const char *key);

/* Bytes, without the last NUL; 0 of NULL. */
size_t labels_size(const char *labels);

bool labels_equal(const char *a, const char *b);

/* Read a LabelSelector.  `json` may be NULL (absent).  Checked as the API server does: label
 * syntax, operators, values where they belong; and unknown members.  -EINVAL with err "PATH.member:
 * ..."; `path` is where the selector stands ("spec.selector").  *ret_selector is written on success
 * only. */
must_check int selector_from_json(const json_t *json, const char *path,
				  struct selector *ret_selector, struct err *err);

void selector_release(struct selector *selector);

bool selector_matches(const struct selector *selector, const char *labels);

/* Does it have a term, i.e. may it leave something out? */
static inline bool selector_narrows(const struct selector *selector)
{
	return selector->term_nr > 0;
}

/* Is it what Kubernetes takes as the key of a label: "app", "app.kubernetes.io/name"? */
bool label_key_valid(const char *text);

#endif
