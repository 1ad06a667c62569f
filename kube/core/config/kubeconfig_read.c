/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/config/kubeconfig_priv.h"

#include <errno.h>
#include <string.h>

#include "lib/core/text/encode.h"

int kubeconfig_text(const json_t *obj, const char *key, size_t max, char **ret, struct err *err)
{
	const char *text = NULL;
	const json_t *value = json_object_get(obj, key);
	int r;

	if (json_is_string(value) && !json_string_length(value))
		return 0;
	r = json_get_opt_name(obj, key, max, &text, err);
	if (r == 0 && text)
		*ret = xstrdup(text);
	return r;
}

int kubeconfig_bool(const json_t *obj, const char *key, bool *ret, struct err *err)
{
	const json_t *value = json_object_get(obj, key);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_boolean(value))
		return err_set(err, -EINVAL, "%s: is neither true nor false", key);
	*ret = json_is_true(value);
	return 0;
}

int kubeconfig_path(const struct kubeconfig_source *source, const json_t *obj, const char *key,
		    char **ret, struct err *err)
{
	cleanup(freep) char *path = NULL;
	int r = kubeconfig_text(obj, key, KUBECONFIG_TEXT_MAX, &path, err);

	if (r < 0 || !path)
		return r;
	*ret = path[0] == '/' ? xstrdup(path)
			      : xasprintf("%.*s%s", (int)source->dir_len, source->path, path);
	return 0;
}

int kubeconfig_data(const json_t *obj, const char *key, char **ret, struct err *err)
{
	const json_t *value = json_object_get(obj, key);
	const char *text = json_string_value(value);
	size_t len = 0;
	cleanup(freep) char *plain = NULL;
	cleanup(freep) char *out = NULL;
	ptrdiff_t nr;

	if (!value || json_is_null(value) || (text && !text[0]))
		return 0;
	if (!text || strlen(text) > KUBECONFIG_DATA_MAX)
		return err_set(err, -EINVAL, "%s: is not base64", key);
	plain = xmalloc(strlen(text) + 1);
	for (; *text; text++)
		if (!strchr(" \n\r\t", *text))
			plain[len++] = *text;
	out = xmalloc(BASE64_BYTES(len) + 1);
	nr = base64_decode(plain, len, out);
	if (nr < 0 || memchr(out, '\0', (size_t)nr))
		return err_set(err, -EINVAL, "%s: is not base64 of a PEM file", key);
	out[nr] = '\0';
	*ret = TAKE_PTR(out);
	return 0;
}

int kubeconfig_texts(const json_t *obj, const char *key, char ***ret, size_t *ret_nr,
		     struct err *err)
{
	const json_t *list = NULL, *item;
	size_t i;
	int r = json_get_array(obj, key, KUBECONFIG_LIST_MAX, &list, err);

	if (r < 0)
		return r;
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item) || json_string_length(item) > KUBECONFIG_TEXT_MAX)
			return err_set(err, -EINVAL, "%s[%zu]: is not a string", key, i);
		GROW(*ret, *ret_nr);
		(*ret)[(*ret_nr)++] = xstrdup(json_string_value(item));
	}
	return 0;
}
