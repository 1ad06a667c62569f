/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/object/model.h"

#include <assert.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/object/fields.h"
#include "lib/core/limits.h"
#include "lib/core/text/encode.h"
#include "lib/core/text/rfc3339.h"

struct kind {
	const char *name, *api_version;
	bool namespaced;
	size_t name_max; /* bytes of metadata.name */
};

static const struct kind kinds[OBJECT_KIND_NR] = {
	[OBJECT_POLICY] = { "ProfilingPolicy", PROFILING_API_VERSION, true, 63 },
	[OBJECT_CLUSTER_POLICY] = { "ClusterProfilingPolicy", PROFILING_API_VERSION, false, 63 },
	[OBJECT_NAMESPACE] = { "Namespace", "v1", false, 63 },
	[OBJECT_NODE] = { "Node", "v1", false, LIMIT_NAME_BYTES },
	[OBJECT_POD] = { "Pod", "v1", true, LIMIT_NAME_BYTES },
};

const char *object_kind_name(enum object_kind kind)
{
	return kinds[kind].name;
}

static bool is_ours(const struct kind *kind)
{
	return strcmp(kind->api_version, PROFILING_API_VERSION) == 0;
}

static int find_kind(const json_t *json, enum object_kind *ret_kind, struct err *err)
{
	const char *name = json_string_value(json_object_get(json, "kind"));
	const char *api_version = json_string_value(json_object_get(json, "apiVersion"));

	if (!json_is_object(json))
		return err_set(err, -EINVAL, "an object must be a map");
	if (!name || !api_version)
		return err_set(err, -EINVAL, "%s: is missing", name ? "apiVersion" : "kind");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(name, kinds[i].name) != 0)
			continue;
		if (strcmp(api_version, kinds[i].api_version) == 0) {
			*ret_kind = (enum object_kind)i;
			return 0;
		}
		if (is_ours(&kinds[i]))
			return err_set(err, -EINVAL, "apiVersion: of a %s must be %s", name,
				       kinds[i].api_version);
	}
	if (strncmp(api_version, PROFILING_GROUP "/", strlen(PROFILING_GROUP "/")) == 0)
		return err_set(err, -EINVAL,
			       "kind: must be ProfilingPolicy or ClusterProfilingPolicy");
	return err_set(err, -ENOTSUP, "kind: %.64s is not used here", name);
}

/* --- what manifests may lack --- */

static int64_t derived_generation(const json_t *spec)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	cleanup(freep) char *text = json_dumps(spec, JSON_SORT_KEYS | JSON_COMPACT);

	if (!text)
		return 1;
	SHA256((const unsigned char *)text, strlen(text), hash);
	/* 31 bits: it is shown to people. */
	return 1 + ((int64_t)(hash[0] & 0x7f) << 24 | hash[1] << 16 | hash[2] << 8 | hash[3]);
}

static char *derived_uid(const struct object *object)
{
	unsigned char h[SHA256_DIGEST_LENGTH];
	char hex[2 * 16 + 1];
	cleanup(freep) char *text =
		xasprintf("%s/%s/%s", object_kind_name(object->kind), object->ns, object->name);

	SHA256((const unsigned char *)text, strlen(text), h);
	/* Version 8 of RFC 9562: a UUID of our own making. */
	h[6] = (h[6] & 0xf) | 0x80;
	h[8] = (h[8] & 0x3f) | 0x80;
	hex_encode(h, 16, hex);
	return xasprintf("%.8s-%.4s-%.4s-%.4s-%s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* --- metadata --- */

/* YAML reads a name of digits, or "yes", as something else. */
static int no_text(const json_t *value, const char *field, struct err *err)
{
	if (!value || json_is_null(value))
		return err_set(err, -EINVAL, "%s: is missing", field);
	return err_set(err, -EINVAL, "%s: must be a string; write it in quotes (\"...\")", field);
}

static int read_names(struct object *object, const json_t *meta, struct err *err)
{
	const struct kind *kind = &kinds[object->kind];
	const char *name = json_string_value(json_object_get(meta, "name"));
	const char *ns = json_string_value(json_object_get(meta, "namespace"));

	if (!name)
		return no_text(json_object_get(meta, "name"), "metadata.name", err);
	if (!name_valid(name, kind->name_max, object->kind == OBJECT_NAMESPACE))
		return err_set(err, -EINVAL,
			       "metadata.name: is not a Kubernetes name of at most %zu characters",
			       kind->name_max);
	if (kind->namespaced && !ns)
		return no_text(json_object_get(meta, "namespace"), "metadata.namespace", err);
	if (kind->namespaced && !name_valid(ns, 63, true))
		return err_set(err, -EINVAL, "metadata.namespace: is not a namespace's name");
	if (!kind->namespaced && ns && is_ours(kind))
		return err_set(err, -EINVAL, "metadata.namespace: a %s has none", kind->name);
	object->name = xstrdup(name);
	object->ns = xstrdup(kind->namespaced ? ns : "");
	return 0;
}

static bool uid_valid(const char *uid)
{
	size_t len = uid ? strlen(uid) : 0;

	return len > 0 && len <= 64 &&
	       strspn(uid, "0123456789abcdefABCDEFghijklmnopqrstuvwxyz-") == len;
}

static int read_meta(struct object *object, const json_t *json, struct err *err)
{
	const json_t *meta = json_object_get(json, "metadata");
	const json_t *generation = json_object_get(meta, "generation");
	const char *created = json_string_value(json_object_get(meta, "creationTimestamp"));
	const char *uid = json_string_value(json_object_get(meta, "uid"));
	int r = read_names(object, meta, err);

	if (r < 0)
		return r;
	if (created && rfc3339_parse(created, &object->created_s) < 0)
		return err_set(err, -EINVAL, "metadata.creationTimestamp: is not a time");
	if (uid && !uid_valid(uid))
		return err_set(err, -EINVAL, "metadata.uid: is not a uid");
	object->uid = uid ? xstrdup(uid) : derived_uid(object);
	object->generation = json_integer_value(generation);
	if (object->generation <= 0 && is_ours(&kinds[object->kind]))
		object->generation = derived_generation(json_object_get(json, "spec"));
	object->deleting = json_is_string(json_object_get(meta, "deletionTimestamp"));
	/* Nobody selects policies. */
	if (!is_ours(&kinds[object->kind]))
		object->labels = labels_pack(json_object_get(meta, "labels"));
	return 0;
}

static int read_object(struct object *object, const json_t *json, bool cgroups, struct err *err)
{
	static const char *const name[] = { "apiVersion", "kind", "metadata", "spec", "status" };
	int r = 0;

	if (is_ours(&kinds[object->kind])) {
		r = fields_check(json, "", name, ARRAY_SIZE(name), err);
		if (r < 0)
			return r;
	}
	r = read_meta(object, json, err);
	if (r < 0)
		return r;
	switch (object->kind) {
	case OBJECT_POLICY:
		return policy_from_json(json, &object->policy, err);
	case OBJECT_CLUSTER_POLICY:
		return cluster_policy_from_json(json, &object->cluster, err);
	case OBJECT_POD:
		return pod_from_json(json, cgroups, &object->pod, err);
	case OBJECT_NAMESPACE:
	case OBJECT_NODE:
		break;
	}
	return 0;
}

static int from_json(const json_t *json, bool cgroups, struct object **ret_object, struct err *err)
{
	cleanup(object_freep) struct object *object = NULL;
	enum object_kind kind = OBJECT_POLICY;
	int r = find_kind(json, &kind, err);

	if (r < 0)
		return r;
	object = xcalloc(1, sizeof(*object));
	object->kind = kind;
	r = read_object(object, json, cgroups, err);
	if (r < 0)
		return r;
	*ret_object = TAKE_PTR(object);
	return 0;
}

int object_from_json(const json_t *json, struct object **ret_object, struct err *err)
{
	return from_json(json, false, ret_object, err);
}

int object_from_manifest(const json_t *json, struct object **ret_object, struct err *err)
{
	return from_json(json, true, ret_object, err);
}

int object_outline(const json_t *json, enum object_kind kind, struct object **ret_object)
{
	const json_t *meta = json_object_get(json, "metadata");
	const char *name = json_string_value(json_object_get(meta, "name"));
	const char *ns = json_string_value(json_object_get(meta, "namespace"));
	const char *uid = json_string_value(json_object_get(meta, "uid"));
	json_int_t generation = json_integer_value(json_object_get(meta, "generation"));
	struct object *object;

	if (!name_valid(name, LIMIT_NAME_BYTES, false) || !uid_valid(uid) || generation <= 0)
		return -EINVAL;
	if (kinds[kind].namespaced ? !name_valid(ns, 63, true) : ns != NULL)
		return -EINVAL;
	object = xcalloc(1, sizeof(*object));
	object->kind = kind;
	object->name = xstrdup(name);
	object->ns = xstrdup(ns ? ns : "");
	object->uid = xstrdup(uid);
	object->generation = generation;
	object->deleting = json_is_string(json_object_get(meta, "deletionTimestamp"));
	*ret_object = object;
	return 0;
}

void object_free(struct object *object)
{
	if (!object)
		return;
	assert(!object->packed);
	switch (object->kind) {
	case OBJECT_POLICY:
		policy_release(&object->policy);
		break;
	case OBJECT_CLUSTER_POLICY:
		cluster_policy_release(&object->cluster);
		break;
	case OBJECT_POD:
		pod_release(&object->pod);
		break;
	case OBJECT_NAMESPACE:
	case OBJECT_NODE:
		break;
	}
	free(object->ns);
	free(object->name);
	free(object->uid);
	free(object->labels);
	free(object);
}

void object_error_path(const struct err *err, char *ret_path, size_t size)
{
	const char *end = strstr(err->text, ": ");
	size_t len = end ? (size_t)(end - err->text) : 0;

	if (len >= size || memchr(err->text, ' ', len))
		len = 0;
	memcpy(ret_path, err->text, len);
	ret_path[len] = '\0';
}
