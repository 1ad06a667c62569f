/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever passes by: what is found does not depend on where the pieces are cut, and of an object that can be parsed it
 * is what the parser finds. */

#include <assert.h>
#include <string.h>

#include "kube/core/watch/object_scan.h"
#include "lib/core/text/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void scan_in_pieces(struct object_scan *scan, const char *text, size_t len, size_t piece)
{
	object_scan_begin(scan, false);
	for (size_t at = 0; at < len; at += piece)
		object_scan_feed(scan, text + at, MIN(piece, len - at));
}

static bool is_taken(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~' || *text == '\\' || *text == '"')
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct object_scan whole, pieces;
	struct err err = ERR_INIT;
	const char *text, *name;
	json_t *json = NULL;

	if (size < 2)
		return 0;
	text = (const char *)data + 1;
	size--;
	scan_in_pieces(&whole, text, size, size);
	scan_in_pieces(&pieces, text, size, 1 + data[0]);
	for (int i = 0; i < OBJECT_SCAN_NR; i++)
		assert(strcmp(whole.found[i], pieces.found[i]) == 0);
	/* Names that are written with escapes are not found. */
	if (memchr(text, '\\', size) || memchr(text, 0, size) ||
	    json_parse_bounded(text, size, 16, &json, &err) < 0)
		return 0;
	name = json_string_value(json_object_get(json_object_get(json, "metadata"), "name"));
	if (name && is_taken(name) && strlen(name) < OBJECT_SCAN_BYTES)
		assert(strcmp(whole.found[OBJECT_SCAN_NAME], name) == 0);
	else
		assert(!whole.found[OBJECT_SCAN_NAME][0]);
	json_decref(json);
	return 0;
}
