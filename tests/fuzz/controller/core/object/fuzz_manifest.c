/* SPDX-License-Identifier: Apache-2.0 */

/* A manifest is refused with a sentence, or its objects have valid and unique names and a hash. */

#include <stdlib.h>
#include <string.h>

#include "controller/core/object/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_doc(const struct manifest *manifest, size_t i)
{
	const struct manifest_doc *doc = &manifest->doc[i];
	bool ours =
		doc->object->kind == OBJECT_POLICY || doc->object->kind == OBJECT_CLUSTER_POLICY;

	if (!doc->object->name[0] || strchr(doc->object->name, '/') || doc->line < 1)
		abort();
	if (ours != (doc->spec_hash[0] != '\0'))
		abort();
	if (i > 0 && strcmp(manifest->doc[i - 1].key, doc->key) >= 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest manifest = { 0 };
	struct err err = ERR_INIT;

	if (manifest_parse((const char *)data, size, &manifest, &err) < 0) {
		if (!err.text[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < manifest.doc_nr; i++)
		check_doc(&manifest, i);
	manifest_release(&manifest);
	return 0;
}
