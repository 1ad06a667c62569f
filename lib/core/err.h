/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_ERR_H
#define LIB_CORE_ERR_H

/* Why something failed, as a sentence for a person.
 *
 * A function that can fail returns a negative errno and takes a `struct err *` last.  The caller owns
 * the struct (it lives on the stack, no allocation, no release) and may pass NULL when nobody reads it.
 * A sentence names the object, the field and the remedy: "spec.sampleRateHz: 5000 is not in 0..200".
 */

#include "lib/core/base.h"

#define ERR_TEXT_MAX 512

struct err {
	char text[ERR_TEXT_MAX]; /* NUL-terminated, valid UTF-8 if the parts were; cut at the end */
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		.text = ""                                                                         \
	}

/* Write the sentence and give `code` (a negative errno), so that a caller can say
 * `return err_set(err, -EINVAL, "...")`.  A macro, so that the compiler sees which code it is. */
#define err_set(err, code, ...)                                                                    \
	({                                                                                         \
		err_text((err), __VA_ARGS__);                                                      \
		(code);                                                                            \
	})

/* Put "PREFIX: " before the sentence that is there and give `code`. */
#define err_wrap(err, code, ...)                                                                   \
	({                                                                                         \
		err_prefix((err), __VA_ARGS__);                                                    \
		(code);                                                                            \
	})

void err_text(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
