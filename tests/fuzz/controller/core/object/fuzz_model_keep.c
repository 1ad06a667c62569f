/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever the parser takes is taken, and what comes is what is left when the parsed whole is pruned. */

#include <assert.h>
#include <string.h>

#include "controller/core/object/model.h"
#include "kube/core/watch/json_pick.h"
#include "lib/core/text/json.h"

#define DEPTH 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_keep *find(const struct json_keep *keep, const char *name)
{
	for (; keep->name; keep++)
		if (strcmp(keep->name, name) == 0 ||
		    (keep->prefix && strncmp(keep->name, name, strlen(keep->name)) == 0))
			return keep;
	return NULL;
}

static json_t *pruned(const json_t *json, const struct json_keep *keep)
{
	json_t *copy, *value;
	const char *name;
	size_t i;

	if (!keep || (!json_is_object(json) && !json_is_array(json)))
		return json_deep_copy(json);
	copy = json_is_object(json) ? json_object() : json_array();
	json_array_foreach(json, i, value) json_array_append_new(copy, pruned(value, keep));
	json_object_foreach((json_t *)json, name, value)
	{
		const struct json_keep *found = find(keep, name);

		if (found)
			json_object_set_new_nocheck(copy, name, pruned(value, found->member));
	}
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct json_keep *keep = object_keep(OBJECT_POD);
	const char *text = (const char *)data;
	json_t *whole = NULL, *part = NULL;
	struct err err = ERR_INIT;
	int parsed = json_parse_bounded(text, size, DEPTH, &whole, &err);
	int r = json_pick(text, size, keep, DEPTH, &part, &err);

	/* To the parser a NUL is the end of the text. */
	if (parsed == 0 && !memchr(text, 0, size)) {
		json_t *expected = pruned(whole, keep);

		assert(r == 0 && json_equal(part, expected));
		json_decref(expected);
	}
	json_decref(whole);
	json_decref(part);
	return 0;
}
