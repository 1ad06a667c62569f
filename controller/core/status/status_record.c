/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/status_record.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/object/fields.h"
#include "lib/core/text/json.h"
#include "lib/core/text/rfc3339.h"

void status_record_release(struct status_record *record)
{
	free(record->ns);
	free(record->name);
	json_decref(record->status);
	*record = (struct status_record){ 0 };
}

void status_record_file_name(enum object_kind kind, const char *ns, const char *name,
			     char ret_name[STATUS_FILE_NAME_MAX])
{
	/* Names of our kinds have at most 63 characters, so that nothing is cut. */
	snprintf(ret_name, STATUS_FILE_NAME_MAX, "%s.%.63s%s%.63s.json", object_kind_name(kind), ns,
		 *ns ? "." : "", name);
	for (char *c = ret_name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

json_t *status_record_to_json(const struct status_record *record)
{
	char created[RFC3339_MAX];
	json_t *meta;

	rfc3339_format(record->created_s, created);
	meta = json_must(json_pack("{s:s, s:I, s:s, s:{s:s}}", "name", record->name, "generation",
				   (json_int_t)record->generation, "creationTimestamp", created,
				   "annotations", ANNOTATION_SPEC_HASH, record->spec_hash));
	if (*record->ns)
		json_object_set_new(meta, "namespace", json_must(json_string(record->ns)));
	return json_must(json_pack("{s:s, s:s, s:o, s:o*}", "apiVersion", PROFILING_API_VERSION,
				   "kind", object_kind_name(record->kind), "metadata", meta,
				   "status", json_incref(record->status)));
}

static int read_kind(const json_t *json, enum object_kind *ret_kind, struct err *err)
{
	const char *kind = json_string_value(json_object_get(json, "kind"));

	if (kind && strcmp(kind, object_kind_name(OBJECT_POLICY)) == 0)
		*ret_kind = OBJECT_POLICY;
	else if (kind && strcmp(kind, object_kind_name(OBJECT_CLUSTER_POLICY)) == 0)
		*ret_kind = OBJECT_CLUSTER_POLICY;
	else
		return err_set(err, -EINVAL, "kind: is not one of ours");
	return 0;
}

/* Names become a file's name: they are checked like any from outside. */
static int read_names(const json_t *meta, struct status_record *record, struct err *err)
{
	const char *name = json_string_value(json_object_get(meta, "name"));
	const char *ns = json_string_value(json_object_get(meta, "namespace"));
	bool namespaced = record->kind == OBJECT_POLICY;

	if (!name || !name_valid(name, 63, false))
		return err_set(err, -EINVAL, "metadata.name: is not a policy's name");
	if (namespaced != (ns != NULL) || (ns && !name_valid(ns, 63, true)))
		return err_set(err, -EINVAL, "metadata.namespace: is not a namespace's name");
	record->name = xstrdup(name);
	record->ns = xstrdup(ns ? ns : "");
	return 0;
}

static int read_meta(const json_t *meta, struct status_record *record, struct err *err)
{
	const json_t *annotations = json_object_get(meta, "annotations");
	const char *hash = json_string_value(json_object_get(annotations, ANNOTATION_SPEC_HASH));
	const char *created = json_string_value(json_object_get(meta, "creationTimestamp"));
	int r = read_names(meta, record, err);

	if (r < 0)
		return r;
	record->generation = json_integer_value(json_object_get(meta, "generation"));
	if (record->generation <= 0)
		return err_set(err, -EINVAL, "metadata.generation: is not above 0");
	if (!created || rfc3339_parse(created, &record->created_s) < 0)
		return err_set(err, -EINVAL, "metadata.creationTimestamp: is not a time");
	if (!hash || strlen(hash) != SPEC_HASH_HEX - 1)
		return err_set(err, -EINVAL, "metadata.annotations: lack " ANNOTATION_SPEC_HASH);
	memcpy(record->spec_hash, hash, SPEC_HASH_HEX);
	return 0;
}

int status_record_from_json(const json_t *json, struct status_record *ret_record, struct err *err)
{
	cleanup(status_record_release) struct status_record record = { 0 };
	json_t *status = json_object_get(json, "status");
	int r = read_kind(json, &record.kind, err);

	if (r < 0)
		return r;
	r = read_meta(json_object_get(json, "metadata"), &record, err);
	if (r < 0)
		return r;
	if (status && !json_is_object(status))
		return err_set(err, -EINVAL, "status: must be a map");
	record.status = json_incref(status);
	*ret_record = record;
	record = (struct status_record){ 0 };
	return 0;
}
