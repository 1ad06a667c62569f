/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/options_priv.h"

#include <errno.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/text/yaml.h"
#include "lib/fs.h"

/* `set` is option_set() or option_set_item(). */
static int set_scalar(const struct option_def *def, const json_t *value,
		      int (*set)(const struct option_def *def, const char *text, struct err *err),
		      struct err *err)
{
	char number[64];

	switch (json_typeof(value)) {
	case JSON_STRING:
		return set(def, json_string_value(value), err);
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		return set(def, number, err);
	case JSON_REAL:
		snprintf(number, sizeof(number), "%.17g", json_real_value(value));
		return set(def, number, err);
	case JSON_TRUE:
		return set(def, "true", err);
	case JSON_FALSE:
		return set(def, "false", err);
	case JSON_NULL:
		return err_set(err, -EINVAL, "has no value; leave the key out for the default");
	default:
		return err_set(err, -EINVAL, "must be a single value");
	}
}

static int set_json(const struct option_def *def, const json_t *value, struct err *err)
{
	const json_t *item;
	size_t i;

	option_clear(def);
	if (def->type != OPTION_LIST || !json_is_array(value))
		return set_scalar(def, value, option_set, err);
	json_array_foreach(value, i, item)
	{
		int r = set_scalar(def, item, option_set_item, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int set_all(const struct options *options, const struct yaml_doc *doc, const char *path,
		   const bool *given, struct err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(doc->root, key, value)
	{
		const struct option_def *def = options_find(options, key, strlen(key));
		char suggestion[128];
		int r = 0;

		if (!def)
			return err_set(err, -EINVAL, "%s:%d: unknown key \"%.64s\"%s", path,
				       yaml_doc_line(doc, key), key,
				       options_suggest(options, "", key, strlen(key), suggestion));
		if (!given[def - options->def])
			r = set_json(def, value, err);
		if (r < 0)
			return err_wrap(err, r, "%s:%d: %s", path, yaml_doc_line(doc, key), key);
	}
	return 0;
}

int options_read_file(const struct options *options, const char *path, const bool *given,
		      struct err *err)
{
	cleanup(yaml_release) struct yaml_stream stream = { 0 };
	cleanup(freep) char *text = NULL;
	size_t len;
	int r = fs_read_file(path, (size_t)LIMIT_MANIFEST_BYTES, &text, &len, err);

	if (r < 0)
		return err_wrap(err, r, "--config");
	r = yaml_parse(text, len, &stream, err);
	if (r < 0)
		return err_wrap(err, r, "%s", path);
	if (stream.doc_nr == 0 || json_is_null(stream.doc[0].root))
		return 0;
	if (stream.doc_nr > 1 || !json_is_object(stream.doc[0].root))
		return err_set(err, -EINVAL, "%s: must be one mapping of option names to values",
			       path);
	return set_all(options, &stream.doc[0], path, given, err);
}
