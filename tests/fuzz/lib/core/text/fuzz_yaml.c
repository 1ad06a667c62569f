/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/text/yaml.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted can be written as JSON, and that JSON is accepted again. */
static void check_doc(const struct yaml_doc *doc)
{
	cleanup(freep) char *text = json_dumps(doc->root, JSON_ENCODE_ANY);
	struct yaml_stream again;
	struct err err;

	if (!text || doc->line < 1 || yaml_doc_line(doc, "spec.a[1].b") < doc->line)
		abort();
	/* libyaml refuses some characters (DEL, U+FFFE) raw that it accepts as escapes. */
	if (yaml_parse(text, strlen(text), &again, &err) == 0)
		yaml_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct yaml_stream stream;
	struct err err;

	if (yaml_parse((const char *)data, size, &stream, &err) < 0)
		return 0;
	for (size_t i = 0; i < stream.doc_nr; i++)
		check_doc(&stream.doc[i]);
	yaml_release(&stream);
	return 0;
}
