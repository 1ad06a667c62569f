/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/store/shared_text.h"

#include <assert.h>
#include <search.h>
#include <string.h>

struct shared {
	uint32_t takers, len;
	char text[];
};

struct shared_texts {
	void *tree; /* balanced: nobody can choose texts that make it slow */
};

static int order(const void *a, const void *b)
{
	const struct shared *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->text, y->text, x->len);
}

struct shared_texts *shared_texts_new(void)
{
	return xcalloc(1, sizeof(struct shared_texts));
}

void shared_texts_free(struct shared_texts *texts)
{
	assert(!texts->tree);
	free(texts);
}

char *shared_text_take(struct shared_texts *texts, const char *bytes, size_t len)
{
	struct shared *fresh = xmalloc(sizeof(*fresh) + len + 1), *found;
	void *place;

	fresh->takers = 0;
	fresh->len = (uint32_t)len;
	memcpy(fresh->text, bytes, len);
	fresh->text[len] = '\0';
	place = tsearch(fresh, &texts->tree, order);
	if (!place)
		abort();
	found = *(struct shared **)place;
	if (found != fresh)
		free(fresh);
	found->takers++;
	return found->text;
}

void shared_text_give_back(struct shared_texts *texts, char *text)
{
	struct shared *shared;

	if (!text)
		return;
	shared = (struct shared *)(text - offsetof(struct shared, text));
	if (--shared->takers)
		return;
	tdelete(shared, &texts->tree, order);
	free(shared);
}
