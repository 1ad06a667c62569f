/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_OPTION_H
#define LIB_OPTION_H

/* One option of a program: what it is called, what it may be, where its value is kept. */

#include "lib/core/base.h"
#include "lib/core/err.h"

enum option_type {
	OPTION_TEXT, /* char **; NULL when not given and without a fallback; owned by the options */
	OPTION_U32,  /* uint32_t *, within min..max */
	OPTION_DURATION, /* int64_t *, nanoseconds, within min..max */
	OPTION_BOOL,	 /* bool * */
	OPTION_WORD,	 /* int *: the index in `words` */
	OPTION_LIST,	 /* struct option_list *; owned by the options */
};

struct option_list {
	char **item;
	size_t nr;
};

struct option_def {
	const char *name; /* kebab-case, without dashes */
	enum option_type type;
	void *value;
	const char *fallback;	  /* as a person would type it; NULL = 0, NULL, false, empty */
	int64_t min, max;	  /* max 0: no upper bound */
	const char *const *words; /* NULL-terminated */
	/* Of a text and of each item of a list: -EINVAL with a sentence when it is not what it should be; NULL: anything is. */
	int (*check)(const char *text, struct err *err);
	const char *arg;   /* "FILE" and "DIR" complete as such; NULL: by the type */
	const char *help;  /* one sentence; wrapped when shown */
	const char *group; /* a heading; NULL = that of the option before */
};

/* Free what the value owns and leave it empty; other values stay. */
void option_clear(const struct option_def *def);

/* Read `text` into the value; a list is appended to.  The sentence begins with what is wrong, not the name.
 * On failure what has been read may stay: it is the caller's to clear. */
must_check int option_set(const struct option_def *def, const char *text, struct err *err);

/* The same for one item of a list, commas and all. */
must_check int option_set_item(const struct option_def *def, const char *text, struct err *err);

#endif
