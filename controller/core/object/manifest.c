/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/object/manifest.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/text/encode.h"
#include "lib/core/text/yaml.h"

#define PATH_MAX_BYTES 256

static void hash_spec(const json_t *spec, char ret_hex[SPEC_HASH_HEX])
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	cleanup(freep) char *text =
		json_dumps(spec, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);

	ret_hex[0] = '\0';
	if (!text)
		return;
	SHA256((const unsigned char *)text, strlen(text), hash);
	hex_encode(hash, sizeof(hash), ret_hex);
}

static bool is_policy(enum object_kind kind)
{
	return kind == OBJECT_POLICY || kind == OBJECT_CLUSTER_POLICY;
}

static char *object_key(const struct object *object)
{
	return xasprintf("%s %s%s%s", object_kind_name(object->kind), object->ns,
			 *object->ns ? "/" : "", object->name);
}

/* "ProfilingPolicy payments/boost", as far as the object says who it is. */
static void name_of(const json_t *json, char *ret_text, size_t size)
{
	const json_t *meta = json_object_get(json, "metadata");
	const char *kind = json_string_value(json_object_get(json, "kind"));
	const char *ns = json_string_value(json_object_get(meta, "namespace"));
	const char *name = json_string_value(json_object_get(meta, "name"));

	if (kind && name)
		snprintf(ret_text, size, "%.64s %.63s%s%.253s: ", kind, ns ? ns : "", ns ? "/" : "",
			 name);
	else
		ret_text[0] = '\0';
}

/* Put line and name before what object_from_json() said. */
static int refuse(const struct yaml_doc *doc, const char *prefix, const json_t *json,
		  struct err *err)
{
	char field[PATH_MAX_BYTES], path[2 * PATH_MAX_BYTES], name[ERR_TEXT_MAX];
	struct err why = *err;

	object_error_path(&why, field, sizeof(field));
	snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix && *field ? "." : "", field);
	name_of(json, name, sizeof(name));
	err_set(err, -EINVAL, "line %d: %.360s", yaml_doc_line(doc, path), name);
	strncat(err->text, why.text, sizeof(err->text) - strlen(err->text) - 1);
	return -EINVAL;
}

/* `prefix` is where in the document the object stands: "" or "items[3]". */
static int add_object(struct manifest *manifest, const struct yaml_doc *doc, const char *prefix,
		      const json_t *json, struct err *err)
{
	const json_t *meta = json_object_get(json, "metadata");
	struct object *object = NULL;
	struct manifest_doc *added;
	struct err why = ERR_INIT;
	int r = object_from_manifest(json, &object, &why);

	if (r == -ENOTSUP) {
		manifest->skipped_nr++;
		return 0;
	}
	if (r < 0) {
		r = refuse(doc, prefix, json, &why);
		return err_set(err, r, "%s", why.text);
	}
	GROW(manifest->doc, manifest->doc_nr);
	added = &manifest->doc[manifest->doc_nr++];
	*added = (struct manifest_doc){
		.object = object,
		.key = object_key(object),
		.line = yaml_doc_line(doc, prefix),
		.has_created = json_is_string(json_object_get(meta, "creationTimestamp")),
	};
	if (is_policy(object->kind))
		hash_spec(json_object_get(json, "spec"), added->spec_hash);
	return 0;
}

/* The items of a List (or ProfilingPolicyList, ...), or NULL. */
static const json_t *list_items(const json_t *json)
{
	const char *kind = json_string_value(json_object_get(json, "kind"));
	const json_t *items = json_object_get(json, "items");
	size_t len = kind ? strlen(kind) : 0;

	if (len < 4 || strcmp(kind + len - 4, "List") != 0)
		return NULL;
	return json_is_array(items) ? items : NULL;
}

static int add_doc(struct manifest *manifest, const struct yaml_doc *doc, struct err *err)
{
	const json_t *items = list_items(doc->root), *item;
	char prefix[32];
	size_t i;
	int r;

	if (json_is_null(doc->root))
		return 0;
	if (!items)
		return add_object(manifest, doc, "", doc->root, err);
	json_array_foreach(items, i, item)
	{
		snprintf(prefix, sizeof(prefix), "items[%zu]", i);
		r = add_object(manifest, doc, prefix, item, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct manifest_doc *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int check_unique(const struct manifest *manifest, struct err *err)
{
	for (size_t i = 1; i < manifest->doc_nr; i++) {
		const struct manifest_doc *first = &manifest->doc[i - 1], *doc = &manifest->doc[i];

		if (strcmp(first->key, doc->key) == 0)
			return err_set(err, -EINVAL, "line %d: %s is already defined on line %d",
				       doc->line, doc->key, first->line);
	}
	return 0;
}

int manifest_parse(const char *text, size_t len, struct manifest *ret_manifest, struct err *err)
{
	cleanup(manifest_release) struct manifest manifest = { 0 };
	cleanup(yaml_release) struct yaml_stream stream = { 0 };
	int r = yaml_parse(text, len, &stream, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < stream.doc_nr; i++) {
		r = add_doc(&manifest, &stream.doc[i], err);
		if (r < 0)
			return r;
	}
	if (manifest.doc_nr > 1)
		qsort(manifest.doc, manifest.doc_nr, sizeof(*manifest.doc), by_key);
	r = check_unique(&manifest, err);
	if (r < 0)
		return r;
	*ret_manifest = manifest;
	manifest = (struct manifest){ 0 };
	return 0;
}

void manifest_release(struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->doc_nr; i++) {
		object_free(manifest->doc[i].object);
		free(manifest->doc[i].key);
	}
	free(manifest->doc);
	*manifest = (struct manifest){ 0 };
}
