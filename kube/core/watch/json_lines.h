/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_WATCH_JSON_LINES_H
#define KUBE_CORE_WATCH_JSON_LINES_H

/* A stream of JSON documents, one a line, cut at the newlines: the body of a watch.  Pieces may end
 * anywhere, in the middle of a character too; every byte is looked at once.  Pure. */

#include "lib/core/base.h"
#include "lib/core/err.h"

struct json_lines {
	char *buf;
	size_t len, room; /* bytes held, allocated */
	size_t at;	  /* where the next line begins */
	size_t seen;	  /* no newline is in at..seen */
	size_t max;
};

/* `max`: bytes of the longest line that is taken. */
void json_lines_init(struct json_lines *lines, size_t max);
void json_lines_release(struct json_lines *lines);

/* Forget what is held: another stream begins. */
void json_lines_reset(struct json_lines *lines);

/* Add what came; lines returned before are void.  All whole lines should have been taken before,
 * since everything that is held counts: -EMSGSIZE when a line is longer than `max`. */
must_check int json_lines_feed(struct json_lines *lines, const char *data, size_t len,
			       struct err *err);

/* The next whole line that is not empty, without its newline; borrowed until json_lines_feed().
 * False when there is none yet. */
bool json_lines_next(struct json_lines *lines, const char **ret_line, size_t *ret_len);

#endif
