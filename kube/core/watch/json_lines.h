/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_WATCH_JSON_LINES_H
#define KUBE_CORE_WATCH_JSON_LINES_H

/* A stream of JSON documents, one a line, cut at the newlines: the body of a watch.  Pieces may end
 * anywhere, in the middle of a character too; every byte is looked at once.  A line that is too long is
 * not held: it passes by, and the stream goes on behind it.  Pure. */

#include "kube/core/watch/object_scan.h"
#include "lib/core/base.h"

struct json_lines {
	char *buf;
	size_t len, room; /* bytes held, allocated */
	size_t at;	  /* where the next line begins */
	size_t seen;	  /* no newline is in at..seen */
	size_t max;
	struct object_scan scan; /* of the line that is too long */
	bool passing;		 /* it passes by */
	bool passed;		 /* it has, and has not been told */
};

/* `max`: bytes of the longest line that is taken. */
void json_lines_init(struct json_lines *lines, size_t max);
void json_lines_release(struct json_lines *lines);

/* Forget what is held: another stream begins. */
void json_lines_reset(struct json_lines *lines);

/* Add what came; lines returned before are void.  All whole lines should have been taken before, so that no more than
 * `max` and a piece is held. */
void json_lines_feed(struct json_lines *lines, const char *data, size_t len);

/* The next whole line that is not empty, without its newline; borrowed until json_lines_feed().  NULL in place of one
 * that was too long: `scan` says whose it was.  False when there is none yet. */
bool json_lines_next(struct json_lines *lines, const char **ret_line, size_t *ret_len);

#endif
