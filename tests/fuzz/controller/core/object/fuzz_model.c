/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include <string.h>

#include "controller/core/object/model.h"
#include "controller/core/status/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is refused can be told in a status that the API server takes. */
static void tell(const json_t *json, const char *why)
{
	const struct status_input nothing = { .object = NULL };
	struct object *outline = NULL;
	json_t *status;
	char *text;

	if (object_outline(json, OBJECT_POLICY, &outline) < 0)
		return;
	status = status_build_refused(outline->generation, why, &nothing);
	text = json_dumps(status, 0);
	if (!text || strlen(status_message(status, "Accepted")) >= 1024 ||
	    !strstr(text, "nothing is in force"))
		abort();
	free(text);
	json_decref(status);
	object_free(outline);
}

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
		tell(json, err.text);
	} else if (object->kind == OBJECT_POLICY && object->policy.rate_hz > LIMIT_SAMPLE_RATE_HZ) {
		abort();
	}
	object_free(object);
	json_decref(json);
	return 0;
}
