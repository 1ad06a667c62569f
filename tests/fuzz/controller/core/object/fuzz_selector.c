/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "controller/core/object/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* [SELECTOR, LABELS]: a selector that was accepted matches or not, and always the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, 0, NULL);
	char *labels = labels_pack(json_array_get(json, 1));
	struct selector selector;
	struct err err = ERR_INIT;

	if (selector_from_json(json_array_get(json, 0), "selector", &selector, &err) == 0) {
		bool matches = selector_matches(&selector, labels);

		if (!selector_narrows(&selector) && !matches)
			abort();
		selector_release(&selector);
	}
	free(labels);
	json_decref(json);
	return 0;
}
