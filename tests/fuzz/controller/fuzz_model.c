/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "controller/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes that are JSON: an object or an error with a sentence, and no leak. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
	struct object *object = NULL;
	struct err err = ERR_INIT;
	char path[64];

	if (!json)
		return 0;
	if (object_from_json(json, &object, &err) < 0) {
		if (object || !err.text[0])
			abort();
		object_error_path(&err, path, sizeof(path));
	} else if (object->kind == OBJECT_POLICY && object->policy.rate_hz > LIMIT_SAMPLE_RATE_HZ) {
		abort();
	}
	object_free(object);
	json_decref(json);
	return 0;
}
