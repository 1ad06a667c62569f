/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/object/selector.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/object/fields.h"
#include "lib/core/limits.h"

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *labels_pack(const json_t *object)
{
	cleanup(freep) const char **keys = NULL;
	const char *key;
	json_t *value;
	size_t nr = 0, size = 1;
	char *labels, *end;

	json_object_foreach((json_t *)object, key, value)
	{
		if (!json_is_string(value))
			continue;
		GROW(keys, nr);
		keys[nr++] = key;
		size += strlen(key) + strlen(json_string_value(value)) + 2;
	}
	if (!nr)
		return NULL;
	qsort(keys, nr, sizeof(*keys), by_text);
	end = labels = xmalloc(size);
	for (size_t i = 0; i < nr; i++) {
		end = stpcpy(end, keys[i]) + 1;
		end = stpcpy(end, json_string_value(json_object_get(object, keys[i]))) + 1;
	}
	*end = '\0';
	return labels;
}

const char *labels_get(const char *labels, const char *key)
{
	/* An empty key ends the list, so it cannot be one. */
	while (labels && *labels) {
		const char *value = labels + strlen(labels) + 1;

		if (strcmp(labels, key) == 0)
			return value;
		labels = value + strlen(value) + 1;
	}
	return NULL;
}

size_t labels_size(const char *labels)
{
	const char *at = labels;

	while (at && *at) {
		at += strlen(at) + 1;
		at += strlen(at) + 1;
	}
	return (size_t)(at - labels);
}

bool labels_equal(const char *a, const char *b)
{
	size_t size = labels_size(a);

	return size == labels_size(b) && (size == 0 || memcmp(a, b, size) == 0);
}

/* Letters, digits, "-", "_", "."; alphanumeric at both ends; 1..63. */
static bool label_word(const char *text, size_t len)
{
	if (len == 0 || len > 63)
		return false;
	if (!isalnum((unsigned char)text[0]) || !isalnum((unsigned char)text[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
			return false;
	return true;
}

bool label_key_valid(const char *text)
{
	const char *slash = strchr(text, '/');
	char prefix[LIMIT_NAME_BYTES + 1];

	if (!slash)
		return label_word(text, strlen(text));
	if ((size_t)(slash - text) >= sizeof(prefix))
		return false;
	memcpy(prefix, text, (size_t)(slash - text));
	prefix[slash - text] = '\0';
	return name_valid(prefix, LIMIT_NAME_BYTES, false) &&
	       label_word(slash + 1, strlen(slash + 1));
}

static bool label_value(const char *text)
{
	return !*text || label_word(text, strlen(text));
}

static void term_release(struct selector_term *term)
{
	for (size_t i = 0; i < term->value_nr; i++)
		free(term->value[i]);
	free(term->value);
	free(term->key);
}

void selector_release(struct selector *selector)
{
	for (size_t i = 0; i < selector->term_nr; i++)
		term_release(&selector->term[i]);
	free(selector->term);
	*selector = (struct selector){ 0 };
}

/* The caller keeps the sum of terms below its limit. */
static struct selector_term *term_add(struct selector *selector, const char *key,
				      enum selector_op op)
{
	struct selector_term *term;

	GROW(selector->term, selector->term_nr);
	term = &selector->term[selector->term_nr++];
	*term = (struct selector_term){ .key = xstrdup(key), .op = op };
	return term;
}

static bool term_add_value(struct selector_term *term, const json_t *value)
{
	const char *text = json_string_value(value);

	if (!text || !label_value(text))
		return false;
	GROW(term->value, term->value_nr);
	term->value[term->value_nr++] = xstrdup(text);
	return true;
}

static int read_labels(struct selector *selector, const json_t *labels, const char *path,
		       struct err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)labels, key, value)
	{
		if (!label_key_valid(key))
			return err_set(err, -EINVAL,
				       "%s.matchLabels: has a key that is not a label key", path);
		if (!term_add_value(term_add(selector, key, SELECTOR_IN), value))
			return err_set(err, -EINVAL, "%s.matchLabels.%s: is not a label value",
				       path, key);
	}
	return 0;
}

static int read_operator(const json_t *json, const char *path, enum selector_op *ret_op,
			 struct err *err)
{
	static const char *const name[] = { "In", "NotIn", "Exists", "DoesNotExist" };
	const json_t *text = NULL;
	int r = fields_get(json, path, "operator", JSON_STRING, &text, err);

	if (r < 0)
		return r;
	for (size_t i = 0; text && i < ARRAY_SIZE(name); i++) {
		if (strcmp(json_string_value(text), name[i]) == 0) {
			*ret_op = (enum selector_op)i;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "%s.operator: must be one of In, NotIn, Exists, DoesNotExist",
		       path);
}

static int read_values(struct selector_term *term, const json_t *json, const char *path,
		       struct err *err)
{
	bool wants = term->op == SELECTOR_IN || term->op == SELECTOR_NOT_IN;
	const json_t *values = NULL, *value;
	size_t i;
	int r = fields_get(json, path, "values", JSON_ARRAY, &values, err);

	if (r < 0)
		return r;
	if (wants && json_array_size(values) == 0)
		return err_set(err, -EINVAL, "%s.values: In and NotIn need values", path);
	if (!wants && json_array_size(values) > 0)
		return err_set(err, -EINVAL, "%s.values: Exists and DoesNotExist take none", path);
	if (json_array_size(values) > LIMIT_SELECTOR_VALUES)
		return err_set(err, -EINVAL, "%s.values: more than %d", path,
			       LIMIT_SELECTOR_VALUES);
	json_array_foreach(values, i, value)
	{
		if (!term_add_value(term, value))
			return err_set(err, -EINVAL, "%s.values[%zu]: is not a label value", path,
				       i);
	}
	return 0;
}

static int read_expression(struct selector *selector, const json_t *json, const char *path,
			   struct err *err)
{
	static const char *const name[] = { "key", "operator", "values" };
	const json_t *key = NULL;
	enum selector_op op = SELECTOR_IN;
	int r;

	r = fields_check(json, path, name, ARRAY_SIZE(name), err);
	if (r < 0)
		return r;
	r = fields_get(json, path, "key", JSON_STRING, &key, err);
	if (r < 0)
		return r;
	if (!key || !label_key_valid(json_string_value(key)))
		return err_set(err, -EINVAL, "%s.key: must be a label key", path);
	r = read_operator(json, path, &op, err);
	if (r < 0)
		return r;
	return read_values(term_add(selector, json_string_value(key), op), json, path, err);
}

static int read_expressions(struct selector *selector, const json_t *list, const char *path,
			    struct err *err)
{
	char where[96];
	const json_t *json = NULL;
	size_t i;
	int r;

	json_array_foreach(list, i, json)
	{
		snprintf(where, sizeof(where), "%s.matchExpressions[%zu]", path, i);
		r = read_expression(selector, json, where, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_selector(struct selector *selector, const json_t *json, const char *path,
			 struct err *err)
{
	static const char *const name[] = { "matchLabels", "matchExpressions" };
	const json_t *labels = NULL, *expressions = NULL;
	int r;

	r = fields_check(json, path, name, ARRAY_SIZE(name), err);
	if (r < 0)
		return r;
	r = fields_get(json, path, "matchLabels", JSON_OBJECT, &labels, err);
	if (r < 0)
		return r;
	r = fields_get(json, path, "matchExpressions", JSON_ARRAY, &expressions, err);
	if (r < 0)
		return r;
	if (json_object_size(labels) + json_array_size(expressions) > LIMIT_SELECTOR_TERMS)
		return err_set(err, -EINVAL, "%s: has more than %d terms", path,
			       LIMIT_SELECTOR_TERMS);
	r = read_labels(selector, labels, path, err);
	if (r < 0)
		return r;
	return read_expressions(selector, expressions, path, err);
}

int selector_from_json(const json_t *json, const char *path, struct selector *ret_selector,
		       struct err *err)
{
	cleanup(selector_release) struct selector selector = { 0 };
	int r;

	if (json) {
		r = read_selector(&selector, json, path, err);
		if (r < 0)
			return r;
	}
	*ret_selector = selector;
	selector = (struct selector){ 0 };
	return 0;
}

static bool has_value(const struct selector_term *term, const char *value)
{
	for (size_t i = 0; i < term->value_nr; i++)
		if (strcmp(term->value[i], value) == 0)
			return true;
	return false;
}

static bool term_matches(const struct selector_term *term, const char *labels)
{
	const char *value = labels_get(labels, term->key);

	switch (term->op) {
	case SELECTOR_IN:
		return value && has_value(term, value);
	case SELECTOR_NOT_IN:
		return !value || !has_value(term, value);
	case SELECTOR_EXISTS:
		return value != NULL;
	case SELECTOR_NOT_EXISTS:
		return value == NULL;
	}
	return false;
}

bool selector_matches(const struct selector *selector, const char *labels)
{
	for (size_t i = 0; i < selector->term_nr; i++)
		if (!term_matches(&selector->term[i], labels))
			return false;
	return true;
}
