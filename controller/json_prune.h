/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_JSON_PRUNE_H
#define CONTROLLER_JSON_PRUNE_H

/* A JSON text without the members that nobody will look at, before it is parsed: of a pod of 7 KB a tenth is used, and
 * a parser that allocates every value costs more than all else that is done with it.  Pure.
 *
 * What is kept is copied byte for byte, so the parser judges it; of what is left out only strings and the nesting are
 * looked at, so that it may be wrong in other ways. */

#include "lib/base.h"
#include "lib/err.h"

/* One member of an object that is kept.  A list of them ends with a name of NULL. */
struct json_keep {
	const char *name;
	const struct json_keep
		*member; /* of it, or of each element if it is an array; NULL = the whole value */
	bool prefix;	 /* every member whose name begins so */
};

/* Write what `keep` names to ret_text, which has room for `len` bytes; not NUL-terminated.  A value that is neither
 * object nor array is kept where `keep` has members for it; so is a member whose name is written with escapes.
 * Returns the bytes written; -EINVAL when the text is no JSON value, or nested deeper than depth_max (at most 64). */
must_check int json_prune(const char *text, size_t len, const struct json_keep *keep,
			  size_t depth_max, char *ret_text, struct err *err);

#endif
