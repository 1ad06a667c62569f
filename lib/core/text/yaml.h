/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_TEXT_YAML_H
#define LIB_CORE_TEXT_YAML_H

/* YAML as kubectl accepts it: a stream of documents, each a JSON value and the lines it came from.
 *
 * Scalars resolve by YAML 1.1 as kubectl does it: plain true/yes/on and false/no/off are booleans, null, ~
 * and nothing are null, 12, 0x1f, 0o17, 017, 0b11 and 1_000 are integers, 1.5, 1e3 are reals; .inf and .nan
 * are refused, since JSON has neither.  Quoted and block scalars are strings.  JSON is YAML, so that
 * JSON files parse through here as well.
 *
 * Refused with a sentence "line N: ...": what is not UTF-8, duplicate keys, keys that are neither strings nor
 * integers, aliases, merge keys, tags other than !!str, NUL, nesting beyond LIMIT_YAML_DEPTH, more than
 * LIMIT_MANIFEST_DOCS documents or LIMIT_MANIFEST_NODES nodes, more than LIMIT_MANIFEST_BYTES.
 * Pure: no file, no clock.
 */

#include "lib/core/base.h"
#include "lib/core/err.h"
#include "lib/core/text/json.h"

struct yaml_doc {
	json_t *root;		  /* never NULL; an empty document is JSON null */
	int line;		  /* where the document begins */
	struct yaml_place *place; /* for yaml_doc_line() */
	size_t place_nr;
};

struct yaml_stream {
	struct yaml_doc *doc;
	size_t doc_nr;
};

void yaml_release(struct yaml_stream *stream);

/* Returns 0, or -EINVAL (-E2BIG when a limit is passed) with a sentence.  ret_stream is written on
 * success only and is the caller's to release.  A stream of comments has no documents. */
must_check int yaml_parse(const char *text, size_t len, struct yaml_stream *ret_stream,
			  struct err *err);

/* The line of the field at `path` ("spec.sampleRateHz", "spec.rules[2].name"), or of its nearest ancestor
 * that is there; at last the line on which the document begins. */
int yaml_doc_line(const struct yaml_doc *doc, const char *path);

#endif
