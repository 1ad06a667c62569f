/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_CORE_WATCH_KEY_SET_H
#define KUBE_CORE_WATCH_KEY_SET_H

/* Which objects (namespace, name) came during a sync: 8 to 16 bytes each, by a keyed hash.  Pure. */

#include "lib/core/base.h"

struct key_set {
	uint64_t *slot; /* 0 = free */
	size_t slot_nr, nr;
	uint64_t key[2]; /* random, so that nobody can choose names that collide */
};

void key_set_release(struct key_set *set);
/* Make it empty, under another key. */
void key_set_reset(struct key_set *set, uint64_t key_a, uint64_t key_b);
void key_set_add(struct key_set *set, const char *ns, const char *name);
bool key_set_has(const struct key_set *set, const char *ns, const char *name);

#endif
