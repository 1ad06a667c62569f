/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_WATCH_OBJECT_SCAN_H
#define KUBE_CORE_WATCH_OBJECT_SCAN_H

/* Whose a text is that cannot be parsed, or is too long to be held: the names of an object, found in its JSON as it passes
 * by.  Pure; takes whatever comes, in pieces of any length, and keeps a few names of it.
 *
 * Only members that stand directly in metadata are looked at, so that nothing a person may write into a label or a spec is
 * taken for one of them.  A value is taken when it consists of visible ASCII and fits; the first of a name counts. */

#include "lib/core/base.h"

#define OBJECT_SCAN_BYTES 254 /* of a value, with its NUL */

enum object_scan_field {
	OBJECT_SCAN_TYPE, /* of the watch event */
	OBJECT_SCAN_NS,
	OBJECT_SCAN_NAME,
	OBJECT_SCAN_UID,
	OBJECT_SCAN_VERSION,	/* metadata.resourceVersion */
	OBJECT_SCAN_GENERATION, /* a number, as it is written */
	OBJECT_SCAN_DELETED,	/* metadata.deletionTimestamp */
	OBJECT_SCAN_NR,
};

struct object_scan {
	char found[OBJECT_SCAN_NR][OBJECT_SCAN_BYTES]; /* "" = not found */
	/* Its own. */
	bool is_event;
	size_t depth;	/* of what is open */
	size_t on_path; /* how many of them lead to metadata */
	bool in_string, escaped, at_name;
	int field; /* of the value that comes; -1 = none that is wanted */
	char text[OBJECT_SCAN_BYTES];
	size_t len;
	bool collects, spoiled;
};

/* Begin with an object, or with an event of a watch, {"type": ..., "object": ...}. */
void object_scan_begin(struct object_scan *scan, bool is_event);
void object_scan_feed(struct object_scan *scan, const char *text, size_t len);

#endif
