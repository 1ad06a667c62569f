/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_WATCH_JSON_PICK_H
#define KUBE_CORE_WATCH_JSON_PICK_H

/* A JSON text parsed without the members that nobody will look at: of a pod of 7 KB a tenth is used, and a parser that
 * allocates every value costs more than all else that is done with it.  Pure.
 *
 * What is kept is as strictly read as by jansson with JSON_REJECT_DUPLICATES (which reads whatever is not a plain
 * string); of what is left out only strings and the nesting are looked at, so that it may be wrong in other ways. */

#include "lib/core/base.h"
#include "lib/core/err.h"

#include <jansson.h>

/* One member of an object that is kept.  A list of them ends with a name of NULL. */
struct json_keep {
	const char *name;
	const struct json_keep
		*member; /* of it, or of each element if it is an array; NULL = the whole value */
	bool prefix;	 /* every member whose name begins so */
};

/* Parse what `keep` names; NULL = everything.  A value that is neither object nor array is kept where `keep` has
 * members for it.  -EINVAL when the text is no JSON value, or nested deeper than depth_max (at most 64).
 * *ret is the caller's. */
must_check int json_pick(const char *text, size_t len, const struct json_keep *keep,
			 size_t depth_max, json_t **ret, struct err *err);

#endif
