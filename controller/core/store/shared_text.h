/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STORE_SHARED_TEXT_H
#define CONTROLLER_CORE_STORE_SHARED_TEXT_H

/* Texts that many objects have in common (names of namespaces, nodes and containers, sets of labels), kept once each.
 * Pure. */

#include "lib/core/base.h"

struct shared_texts;

struct shared_texts *shared_texts_new(void);

/* All texts must have been given back. */
void shared_texts_free(struct shared_texts *texts);

/* `len` bytes, with a NUL after them; the same pointer for the same bytes until every one who took it has given it
 * back.  Not to be written to. */
char *shared_text_take(struct shared_texts *texts, const char *bytes, size_t len);

/* `text` may be NULL. */
void shared_text_give_back(struct shared_texts *texts, char *text);

#endif
