/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONTROLLER_CORE_OBJECT_CRD_H
#define TESTS_UNIT_CONTROLLER_CORE_OBJECT_CRD_H

/* The CRDs, read.  For programs that are run from the top of the tree. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/text/yaml.h"
#include "lib/fs.h"

#define POLICY_CRD "crds/profiling.rubato.dev_profilingpolicies.yaml"
#define CLUSTER_CRD "crds/profiling.rubato.dev_clusterprofilingpolicies.yaml"

static inline char *read_text(const char *path, size_t *ret_len)
{
	struct err err = ERR_INIT;
	char *text = NULL;

	if (fs_read_file(path, LIMIT_MANIFEST_BYTES, &text, ret_len, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

static inline json_t *read_crd(const char *path)
{
	cleanup(yaml_release) struct yaml_stream stream = { 0 };
	struct err err = ERR_INIT;
	size_t len = 0;
	cleanup(freep) char *text = read_text(path, &len);

	if (yaml_parse(text, len, &stream, &err) < 0)
		fail_msg("%s: %s", path, err.text);
	assert_int_equal(stream.doc_nr, 1);
	return json_incref(stream.doc[0].root);
}

static inline const json_t *version(const json_t *crd)
{
	return json_array_get(json_object_get(json_object_get(crd, "spec"), "versions"), 0);
}

/* The schema of "spec.limits.maxDuration"; "[]" steps into items. */
static inline const json_t *schema(const json_t *crd, const char *path)
{
	const json_t *at =
		json_object_get(json_object_get(version(crd), "schema"), "openAPIV3Schema");
	char copy[128];
	char *rest = copy;
	const char *name;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((name = strsep(&rest, ".")))
		at = strcmp(name, "[]") == 0
			     ? json_object_get(at, "items")
			     : json_object_get(json_object_get(at, "properties"), name);
	if (!at)
		fail_msg("%s is not in the schema", path);
	return at;
}

#endif
